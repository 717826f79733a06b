//! Compares whole outputs with the snapshot files in `tests/suite/snapshots/`.

/// Asserts that an output equals its snapshot file in `tests/suite/snapshots/`. Each filter is a
/// pattern and its replacement, to hide numbers that differ from run to run.
///
/// After an intended change to an output, `INSTA_UPDATE=always cargo test --test suite` updates the
/// files, and `git diff` shows what changed.
pub fn assert_screen(name: &str, screen: &str, filters: &[(&str, &str)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_filters(filters.iter().copied());
    settings.bind(|| insta::assert_snapshot!(name, screen));
}
