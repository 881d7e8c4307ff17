//! What a worker process may use. Stock Raspberry Pi OS has no memory cgroups, so these are the
//! only walls there.

use rustix::process::{Resource, Rlimit};

/// Address space: 8K frames for a deep decoder and its threads' stacks; a runaway ends here, in
/// its own process.
const ADDRESS_SPACE_BYTES: u64 = 4 << 30;
/// Open files: a pipeline with sound has about thirty.
const FILES: u64 = 256;

/// Takes away what a decoder does not need: core dumps (they would fill the card), endless memory,
/// endless files.
pub fn apply() -> std::io::Result<()> {
    for (resource, at_most) in
        [(Resource::Core, 0), (Resource::As, ADDRESS_SPACE_BYTES), (Resource::Nofile, FILES)]
    {
        let held = rustix::process::getrlimit(resource);
        let limit = held.maximum.map_or(at_most, |maximum| maximum.min(at_most));
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}
