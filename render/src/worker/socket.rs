//! Packets with at most one descriptor, over a `SOCK_SEQPACKET` pair.
//!
//! In:  bytes and a descriptor.
//! Out: the same at the other end, whole or not at all.
//!
//! Not here: what they mean (`protocol`).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};

use super::protocol::MESSAGE_BYTES;

/// One end.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// What came in.
pub struct Received {
    bytes: [u8; MESSAGE_BYTES],
    used: usize,
    /// The descriptor that travelled along.
    pub fd: Option<OwnedFd>,
}

impl Received {
    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

impl Socket {
    /// Two connected ends; none of them survives an `exec`.
    pub fn pair() -> rustix::io::Result<(Socket, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Socket(ours), theirs))
    }

    /// Takes over an end that was handed to this process.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Socket(fd)
    }

    /// Sends, waiting for room.
    pub fn send(&self, packet: &[u8], fd: Option<BorrowedFd>) -> rustix::io::Result<()> {
        self.send_with(packet, fd, SendFlags::NOSIGNAL)
    }

    /// Sends, or fails with `AGAIN` if there is no room.
    pub fn try_send(&self, packet: &[u8]) -> rustix::io::Result<()> {
        self.send_with(packet, None, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    fn send_with(
        &self,
        packet: &[u8],
        fd: Option<BorrowedFd>,
        flags: SendFlags,
    ) -> rustix::io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = fd.map(|fd| [fd]);
        if let Some(fds) = &fds {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        let packet = [IoSlice::new(packet)];
        retry(|| rustix::net::sendmsg(&self.0, &packet, &mut ancillary, flags)).map(drop)
    }

    /// Waits for a packet. None: the other end is closed.
    pub fn receive(&self) -> rustix::io::Result<Option<Received>> {
        let mut bytes = [0; MESSAGE_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = match retry(|| {
            let mut into = [IoSliceMut::new(&mut bytes)];
            rustix::net::recvmsg(&self.0, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        }) {
            // It closed, or was killed, with words of ours unread.
            Err(Errno::CONNRESET) => return Ok(None),
            other => other?,
        };
        let fd = ancillary.drain().find_map(|extra| match extra {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(Errno::MSGSIZE);
        }
        Ok((message.bytes > 0).then_some(Received { bytes, used: message.bytes, fd }))
    }

    /// Both ends read "closed" from now on, also one that is waiting.
    pub fn close(&self) {
        // Fails only if it is closed already.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(&mut call)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptor() {
        let (ours, theirs) = Socket::pair().expect("pair");
        let theirs = Socket::from_fd(theirs);
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(b"seen").expect("write");
        ours.send(b"hello", Some(file.as_fd())).expect("send");
        ours.send(b"bare", None).expect("send");

        let first = theirs.receive().expect("receive").expect("open");
        assert_eq!(first.bytes(), b"hello");
        let mut copy = std::fs::File::from(first.fd.expect("descriptor"));
        copy.rewind().expect("rewind");
        let mut text = String::new();
        copy.read_to_string(&mut text).expect("read");
        assert_eq!(text, "seen");
        let second = theirs.receive().expect("receive").expect("open");
        assert_eq!((second.bytes(), second.fd.is_none()), (b"bare".as_slice(), true));
    }

    #[test]
    fn a_closed_end_is_read_as_closed() {
        let (ours, theirs) = Socket::pair().expect("pair");
        let theirs = Socket::from_fd(theirs);
        ours.close();
        assert!(theirs.receive().expect("receive").is_none());
        drop(ours);
        assert!(theirs.try_send(b"x").is_err());
    }

    #[test]
    fn an_end_that_dies_with_unread_words_is_read_as_closed() {
        let (ours, theirs) = Socket::pair().expect("pair");
        ours.send(b"never read", None).expect("send");
        drop(theirs);
        assert!(ours.receive().expect("receive").is_none());
    }

    #[test]
    fn a_packet_that_is_too_long_is_an_error() {
        let (ours, theirs) = Socket::pair().expect("pair");
        ours.send(&[7; MESSAGE_BYTES + 1], None).expect("send");
        let error = Socket::from_fd(theirs).receive().err();
        assert_eq!(error, Some(Errno::MSGSIZE));
    }
}
