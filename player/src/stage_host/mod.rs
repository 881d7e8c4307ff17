//! x
pub mod keeper;
pub mod process;
