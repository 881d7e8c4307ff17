//! What stage and worker say to each other.
//!
//! In:  messages, or bytes from a process that is not to be trusted.
//! Out: bytes, or messages in which every number is within its range.
//!
//! One message is one packet of a `SOCK_SEQPACKET` pair: a byte for its kind, then its fields in
//! order, little-endian, texts as the rest of the packet in UTF-8. [`Command::Open`] carries the
//! file, [`Event::Pool`] the frame memory and [`Event::Lend`] a decoder's buffer as its one descriptor.
//! Both ends are the same build.
//!
//! Order: `Hello` · `Open` · `Walls` `Hardware` `Length` `Pool` `Frame`… (`Start` at any time) · `End`, `BrokeOff` or
//! `Failed`. A new `Pool` replaces the one before. A frame takes a slot even if it stays in buffers that were lent,
//! each by a `Lend` before the first frame in it. `Release` gives a slot back, and what was lent with it.
//!
//! Promises, each held by a test of the same name:
//! - `what_is_written_is_read`;
//! - `garbage_is_refused_without_harm`.

use vitrine_config::time::Mono;

use super::layout::{Format, Shape};
use super::lent::{Lent, Order, Piece};
use super::sandbox::walls::Walls;
use crate::scene::AudioOut;
use crate::source::{Colour, Light};

/// Longest message: the longest text and a few numbers.
pub const MESSAGE_BYTES: usize = 1_024;
/// Longest text in a message; longer ones are cut.
const TEXT_BYTES: usize = 900;
/// Frames in flight: one on screen, one being written, two ahead. More cost memory (3 MB each at
/// 1080p), fewer cost frames when a thread is late.
pub const SLOTS: u32 = 4;

/// Stage to worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Prepare this file (the descriptor); once per worker.
    Open {
        /// What is wanted of it.
        medium: Medium,
        /// 0.0 (silent) to 1.0 (as recorded).
        volume: f32,
        /// Starts over at the end.
        looped: bool,
        /// Leaves decoders of hardware alone.
        software: bool,
        /// Frames may stay in their decoder's memory.
        lend: bool,
        /// So many nanoseconds after the start it goes on: what comes before has been shown.
        from_ns: u64,
        /// Where sound goes.
        audio: AudioOut,
    },
    /// Time zero of the file is then.
    Start {
        /// On the clock that both processes read.
        at: Mono,
    },
    /// A slot may be written again.
    Release {
        /// Of which pool.
        generation: u32,
        /// Which slot.
        slot: u32,
    },
    /// Something else is foreseen to take its place: no more sound from then on.
    LeavesAt {
        /// On the clock that both processes read; None: not any more.
        at: Option<Mono>,
    },
    /// Something else has taken its place: no more sound, and the device is free.
    Hush,
    /// No frame is lent any more.
    Keep,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Moving pictures, with sound if there is any.
    Video,
    /// One picture, with all of its colours.
    Still,
    /// Sound alone; pictures in it are passed over. Frames then are empty: they say that it goes on.
    Sound,
}

/// Worker to stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Initialised, waiting for `Open`.
    Hello,
    /// A decoder of hardware is in use.
    Hardware {
        /// Which one, as GStreamer names it.
        decoder: String,
    },
    /// How long the file says that it lasts; not said of what repeats, nor by every file.
    Length {
        /// In nanoseconds after the start.
        ns: u64,
    },
    /// Shut in behind these, about to look into the file.
    Walls(Walls),
    /// Frame memory (the descriptor): [`SLOTS`] slots one behind the other.
    Pool {
        /// Rises by one with each pool.
        generation: u32,
        /// Bytes of one slot.
        slot_bytes: u32,
    },
    /// A buffer of the decoder (the descriptor), in which frames follow.
    Lend {
        /// Rises by one with each buffer, from zero.
        number: u32,
    },
    /// A slot holds a frame, or stands for one in lent buffers.
    Frame(Frame),
    /// The last frame has been sent.
    End {
        /// When its time is over, in nanoseconds after the start.
        at_ns: u64,
    },
    /// Something went wrong behind the first frame: those that were sent are the last ones.
    BrokeOff {
        /// When the time of the last one is over, in nanoseconds after the start.
        at_ns: u64,
        /// As in [`Event::Failed`].
        text: String,
    },
    /// Nothing more will come, and why.
    Failed {
        /// What, wanted, found; without the file's name, which a worker does not know.
        text: String,
    },
}

/// One decoded picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Of which pool.
    pub generation: u32,
    /// Which slot, below [`SLOTS`].
    pub slot: u32,
    /// Where it lies, if not in the slot.
    pub lent: Option<Lent>,
    /// Format and size.
    pub shape: Shape,
    /// What the numbers mean.
    pub colour: Colour,
    /// Width of one pixel in heights of one pixel, 1/16 to 16.
    pub pixel_aspect: f32,
    /// When it is due, in nanoseconds after the start.
    pub at_ns: u64,
    /// How long it lasts, in nanoseconds.
    pub lasts_ns: u64,
}

/// A message from a process that does not keep to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unreadable message from the other side ({bytes} bytes, kind {kind:?})")]
pub struct Garbled {
    /// Its length.
    pub bytes: usize,
    /// Its first byte.
    pub kind: Option<u8>,
}

/// A message in the making; lives on the stack, as messages are sent for every frame.
pub struct Packet {
    bytes: [u8; MESSAGE_BYTES],
    used: usize,
}

impl Packet {
    fn new(kind: u8) -> Self {
        let mut packet = Packet { bytes: [0; MESSAGE_BYTES], used: 0 };
        packet.put(&[kind]);
        packet
    }

    /// What is to be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    fn put(&mut self, part: &[u8]) {
        let room = &mut self.bytes[self.used..];
        let fits = part.len().min(room.len());
        room[..fits].copy_from_slice(&part[..fits]);
        self.used += fits;
    }

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    fn put_f32(&mut self, value: f32) {
        self.put(&value.to_le_bytes());
    }

    fn put_text(&mut self, text: &str) {
        self.put(&text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES)]);
    }
}

/// Reads fields off the front; None as soon as something is missing or out of range.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self, low: f32, high: f32) -> Option<f32> {
        let value = self.array().map(f32::from_le_bytes)?;
        (low..=high).contains(&value).then_some(value)
    }

    fn text(&mut self) -> Option<String> {
        let text = std::str::from_utf8(self.0).ok()?;
        self.0 = &[];
        Some(text.to_owned())
    }

    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

fn garbled(bytes: &[u8]) -> Garbled {
    Garbled { bytes: bytes.len(), kind: bytes.first().copied() }
}

const OPEN: u8 = 1;
const START: u8 = 2;
const RELEASE: u8 = 3;
const HUSH: u8 = 4;
const LEAVES_AT: u8 = 5;
const KEEP: u8 = 6;
const HELLO: u8 = 11;
const POOL: u8 = 12;
const FRAME: u8 = 13;
const END: u8 = 14;
const FAILED: u8 = 15;
const LENGTH: u8 = 16;
const HARDWARE: u8 = 17;
const WALLS: u8 = 18;
const LEND: u8 = 19;
const BROKE_OFF: u8 = 20;

impl Command {
    /// As one packet.
    pub fn write(&self) -> Packet {
        match self {
            Command::Open { medium, volume, looped, software, lend, from_ns, audio } => {
                let mut packet = Packet::new(OPEN);
                packet.put(&[match medium {
                    Medium::Video => 0,
                    Medium::Still => 1,
                    Medium::Sound => 2,
                }]);
                packet.put_f32(*volume);
                let (kind, name) = match audio {
                    AudioOut::Auto => (0, ""),
                    AudioOut::None => (1, ""),
                    AudioOut::Alsa(name) => (2, name.as_str()),
                    AudioOut::Hdmi => (3, ""),
                    AudioOut::Jack => (4, ""),
                    AudioOut::Usb => (5, ""),
                };
                packet.put(&[*looped, *software, *lend].map(u8::from));
                packet.put(&[kind]);
                packet.put_u64(*from_ns);
                packet.put_text(name);
                packet
            }
            Command::Start { at } => {
                let mut packet = Packet::new(START);
                packet.put_u64(at.0);
                packet
            }
            Command::Release { generation, slot } => {
                let mut packet = Packet::new(RELEASE);
                packet.put_u32(*generation);
                packet.put_u32(*slot);
                packet
            }
            Command::LeavesAt { at } => {
                let mut packet = Packet::new(LEAVES_AT);
                if let Some(at) = at {
                    packet.put_u64(at.0);
                }
                packet
            }
            Command::Hush => Packet::new(HUSH),
            Command::Keep => Packet::new(KEEP),
        }
    }

    /// From one packet.
    pub fn read(bytes: &[u8]) -> Result<Command, Garbled> {
        Command::parse(Reader(bytes)).ok_or(garbled(bytes))
    }

    fn parse(mut from: Reader) -> Option<Command> {
        let command = match from.u8()? {
            OPEN => {
                let medium = [Medium::Video, Medium::Still, Medium::Sound];
                let medium = *medium.get(usize::from(from.u8()?))?;
                let volume = from.f32(0.0, 1.0)?;
                let (looped, software, lend) = (from.flag()?, from.flag()?, from.flag()?);
                let (kind, from_ns, name) = (from.u8()?, from.u64()?, from.text()?);
                let audio = match kind {
                    0 => AudioOut::Auto,
                    1 => AudioOut::None,
                    2 => AudioOut::Alsa(name),
                    3 => AudioOut::Hdmi,
                    4 => AudioOut::Jack,
                    5 => AudioOut::Usb,
                    _ => return None,
                };
                Command::Open { medium, volume, looped, software, lend, from_ns, audio }
            }
            START => Command::Start { at: Mono(from.u64()?) },
            RELEASE => Command::Release { generation: from.u32()?, slot: slot(&mut from)? },
            LEAVES_AT if from.0.is_empty() => Command::LeavesAt { at: None },
            LEAVES_AT => Command::LeavesAt { at: Some(Mono(from.u64()?)) },
            HUSH => Command::Hush,
            KEEP => Command::Keep,
            _ => return None,
        };
        from.end(command)
    }
}

fn slot(from: &mut Reader) -> Option<u32> {
    from.u32().filter(|slot| *slot < SLOTS)
}

impl Event {
    /// As one packet.
    pub fn write(&self) -> Packet {
        match self {
            Event::Hello => Packet::new(HELLO),
            Event::Hardware { decoder } => {
                let mut packet = Packet::new(HARDWARE);
                packet.put_text(decoder);
                packet
            }
            Event::Length { ns } => {
                let mut packet = Packet::new(LENGTH);
                packet.put_u64(*ns);
                packet
            }
            Event::Walls(walls) => {
                let mut packet = Packet::new(WALLS);
                packet.put(&[walls.bits()]);
                packet
            }
            Event::Pool { generation, slot_bytes } => {
                let mut packet = Packet::new(POOL);
                packet.put_u32(*generation);
                packet.put_u32(*slot_bytes);
                packet
            }
            Event::Lend { number } => {
                let mut packet = Packet::new(LEND);
                packet.put_u32(*number);
                packet
            }
            Event::Frame(frame) => frame.write(),
            Event::End { at_ns } => {
                let mut packet = Packet::new(END);
                packet.put_u64(*at_ns);
                packet
            }
            Event::BrokeOff { at_ns, text } => {
                let mut packet = Packet::new(BROKE_OFF);
                packet.put_u64(*at_ns);
                packet.put_text(text);
                packet
            }
            Event::Failed { text } => {
                let mut packet = Packet::new(FAILED);
                packet.put_text(text);
                packet
            }
        }
    }

    /// From one packet.
    pub fn read(bytes: &[u8]) -> Result<Event, Garbled> {
        Event::parse(Reader(bytes)).ok_or(garbled(bytes))
    }

    fn parse(mut from: Reader) -> Option<Event> {
        let event = match from.u8()? {
            HELLO => Event::Hello,
            HARDWARE => Event::Hardware { decoder: from.text()? },
            LENGTH => Event::Length { ns: from.u64()? },
            WALLS => Event::Walls(Walls::from_bits(from.u8()?)?),
            POOL => Event::Pool { generation: from.u32()?, slot_bytes: from.u32()? },
            LEND => Event::Lend { number: from.u32()? },
            FRAME => Event::Frame(Frame::parse(&mut from)?),
            END => Event::End { at_ns: from.u64()? },
            BROKE_OFF => Event::BrokeOff { at_ns: from.u64()?, text: from.text()? },
            FAILED => Event::Failed { text: from.text()? },
            _ => return None,
        };
        from.end(event)
    }
}

impl Frame {
    fn write(&self) -> Packet {
        let mut packet = Packet::new(FRAME);
        packet.put_u32(self.generation);
        packet.put_u32(self.slot);
        put_lent(&mut packet, self.lent.as_ref());
        packet.put(&[match self.shape.format() {
            Format::I420 => 0,
            Format::Nv12 => 1,
            Format::I444 => 2,
            Format::Grey => 3,
        }]);
        packet.put_u32(self.shape.width_px());
        packet.put_u32(self.shape.height_px());
        packet.put_f32(self.colour.kr);
        packet.put_f32(self.colour.kb);
        packet.put(&[u8::from(self.colour.full_range), u8::from(self.colour.chroma_left)]);
        packet.put(&[match self.colour.light {
            Light::Sdr => 0,
            Light::Wide => 1,
            Light::Pq => 2,
            Light::Hlg => 3,
        }]);
        packet.put_f32(self.pixel_aspect);
        packet.put_u64(self.at_ns);
        packet.put_u64(self.lasts_ns);
        packet
    }

    fn parse(from: &mut Reader) -> Option<Frame> {
        let (generation, slot, lent) = (from.u32()?, slot(from)?, lent(from)?);
        let format = [Format::I420, Format::Nv12, Format::I444, Format::Grey];
        let format = *format.get(usize::from(from.u8()?))?;
        Some(Frame {
            generation,
            slot,
            lent,
            shape: Shape::new(format, from.u32()?, from.u32()?)?,
            colour: Colour {
                kr: from.f32(0.0, 1.0)?,
                kb: from.f32(0.0, 1.0)?,
                full_range: from.flag()?,
                chroma_left: from.flag()?,
                light: light(from)?,
            },
            pixel_aspect: from.f32(1.0 / 16.0, 16.0)?,
            at_ns: from.u64()?,
            lasts_ns: from.u64()?,
        })
    }
}

/// How samples may be ordered; zero says that the frame is not lent.
const ORDERS: [Order; 4] = [Order::Pairs, Order::Planes, Order::Columns, Order::Columns10];

fn put_lent(packet: &mut Packet, lent: Option<&Lent>) {
    let place = |lent: &Lent| ORDERS.iter().position(|order| *order == lent.order);
    packet.put(&[lent.and_then(place).map_or(0, |place| place as u8 + 1)]);
    for piece in lent.iter().flat_map(|lent| lent.pieces) {
        packet.put_u32(piece.buffer);
        packet.put_u32(piece.offset_bytes);
        packet.put_u32(piece.pitch);
    }
}

/// None inside: not lent. Whether it lies inside of what was lent is for the `loan` to say.
fn lent(from: &mut Reader) -> Option<Option<Lent>> {
    let Some(place) = from.u8()?.checked_sub(1) else { return Some(None) };
    let order = *ORDERS.get(usize::from(place))?;
    let mut piece =
        || Some(Piece { buffer: from.u32()?, offset_bytes: from.u32()?, pitch: from.u32()? });
    Some(Some(Lent { order, pieces: [piece()?, piece()?, piece()?] }))
}

fn light(from: &mut Reader) -> Option<Light> {
    [Light::Sdr, Light::Wide, Light::Pq, Light::Hlg].get(usize::from(from.u8()?)).copied()
}

#[cfg(test)]
mod tests;
