//! Compares whole screens with the files in `tests/suite/snapshots/`.

/// Asserts that a screen equals its file in `tests/suite/snapshots/`. Each filter is a pattern and its replacement: it
/// hides numbers that differ from run to run.
///
/// After a change of the screen, `INSTA_UPDATE=always cargo test --test suite` writes the files anew. `git diff` then
/// shows what changed.
pub fn assert_screen(name: &str, screen: &str, filters: &[(&str, &str)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_filters(filters.iter().copied());
    settings.bind(|| insta::assert_snapshot!(name, screen));
}
