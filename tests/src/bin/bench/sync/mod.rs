//! What syncing costs: time, CPU, memory, writes, beside curl, sha256sum and aria2c.

mod content;
mod idle;
mod many;
mod peers;
mod site;

pub use content::content;
pub use idle::idle;
pub use many::many;
