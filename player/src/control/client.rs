//! The side of the control socket that asks.

use std::io::{self, BufReader};
use std::path::Path;
use std::time::Duration;

use vitrine_render::link;

use super::protocol::{self, Reply};
use crate::error::Error;
use crate::event::Command;

/// The player answers at once; a screenshot waits for a frame and is compressed. Above the
/// server's own limit, so that its words arrive.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Asks the player that listens on `socket`.
pub fn ask(socket: &Path, command: Command) -> Result<Reply, Error> {
    let unreachable =
        |source: io::Error| Error::Unreachable { socket: socket.to_path_buf(), source };
    let mut stream = link::connect(socket, ANSWER_WITHIN).map_err(unreachable)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).map_err(unreachable)?;
    stream.set_write_timeout(Some(ANSWER_WITHIN)).map_err(unreachable)?;
    protocol::write_line(&mut stream, &command).map_err(unreachable)?;
    match protocol::reply(&mut BufReader::new(stream)).map_err(Error::Answer)? {
        Reply::Refused { why } => Err(Error::Refused(why)),
        reply => Ok(reply),
    }
}
