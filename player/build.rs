//! How the program is linked.

// This is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

fn main() {
    // Relative relocations take a bit each instead of 24 bytes: 1.2 MB of the arm64 program. Needs
    // glibc 2.36; a linker that does not know it says so and goes on.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    println!("cargo::rerun-if-changed=build.rs");
}
