//! Has the linker lay the program out by packaging/layout.ld, where that is safe.

use std::env;

const LAYOUT: &str = "packaging/layout.ld";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LAYOUT}");
    if is_release() && knows_linker_scripts() {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}/{LAYOUT}", variable("CARGO_MANIFEST_DIR"));
    }
}

fn is_release() -> bool {
    variable("PROFILE") == "release"
}

/// True for the linker that rustc brings for this target, LLD, and for GNU's, which it takes where it was built
/// without. mold and gold do not know `INSERT`, so there is no layout for whoever chooses a linker or tells it
/// something.
fn knows_linker_scripts() -> bool {
    let chosen = env::var_os("RUSTC_LINKER").is_some();
    let told = variable("CARGO_ENCODED_RUSTFLAGS").contains("link");
    variable("TARGET") == "x86_64-unknown-linux-gnu" && !chosen && !told
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
