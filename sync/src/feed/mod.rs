//! Where content comes from. Each feed maps its input into [`crate::model`]; nothing else does.

mod check;
pub mod cloud;
pub mod folder;
