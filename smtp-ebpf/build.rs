//! Passes the linker what the programs need of the instruction set.

fn main() {
    // 32-bit and atomic compare-and-exchange instructions: Linux 5.12.
    println!("cargo:rustc-link-arg-bins=--cpu-features=+alu32");
    println!("cargo:rerun-if-changed=build.rs");
}
