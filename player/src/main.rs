//! The `vitrine` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    vitrine_player::main()
}
