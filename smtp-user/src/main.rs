//! The `postern` binary.
//!
//! Exit codes are those of BSD `sysexits.h`: 0 as asked, 64 usage, 65 data, 66 no input, 69 unavailable,
//! 70 software, 71 operating system, 74 input or output, 75 try again, 77 permission, 78 configuration.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    smtp_user::cli::main()
}
