//! Frames out: each decoded picture is copied into a free slot, or lent where it lies, and announced.
//!
//! In:  samples from the decoder, slots that the stage gives back.
//! Out: messages.
//!
//! Waiting for a free slot is what paces the decoder: it runs at most [`SLOTS`] frames ahead, and
//! sleeps otherwise. What is lent takes a slot as well, and is held until that comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gstreamer::{ClockTime, FlowError, FlowSuccess};
use gstreamer_video::{VideoFrameExt, VideoFrameRef};

use super::allocator::FrameAllocator;
use super::described::Described;
use super::fields::Field;
use super::frames::{MemoryError, Written};
use super::layout::{Format, PlaneAt, Shape};
use super::lender::{self, LENT, Lender};
use super::lent::Lent;
use super::protocol::{Event, Frame, SLOTS};
use super::socket::Socket;
use crate::source::Colour;

/// How often a sound without pictures says that it goes on.
const BEAT_NS: u64 = 1_000_000_000;
/// What is left of a frame that has been shown but for this is not shown again: two decoders round
/// times in their own ways.
const SLIVER_NS: u64 = 1_000_000;

/// Why a frame did not go out.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// Format or size is none that a stage takes.
    #[error(
        "a picture of {width_px} by {height_px} pixels as {format}, wanted NV12, I420, Y444 or GRAY8"
    )]
    Shape {
        /// As found.
        width_px: u32,
        /// As found.
        height_px: u32,
        /// As found.
        format: String,
    },
    /// A buffer is not what its caps say.
    #[error("a picture that does not fit its own description")]
    Buffer,
    /// No memory for frames.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The stage is gone.
    #[error("send to the stage: {0}")]
    Stage(#[from] rustix::io::Errno),
}

/// Where frames go. Shared by the decoder's thread and the one that hears of released slots.
pub struct Outlet {
    stage: Arc<Socket>,
    /// Frames of other memory may be lent.
    lends: AtomicBool,
    /// Frames in memory of this are always lent.
    shared: FrameAllocator,
    slots: Slots,
    writer: Mutex<Writer>,
}

/// What only the decoder's thread uses.
#[derive(Default)]
struct Writer {
    described: Option<(gstreamer::Caps, Described)>,
    memory: Option<(u32, Written)>,
    lender: Lender,
    last_ns: Option<u64>,
    end_ns: u64,
    /// Added to running times: what earlier rounds of a loop took that began by a flush, and what
    /// another worker has shown.
    offset_ns: u64,
    /// What is over by then has been shown by another worker.
    from_ns: u64,
}

#[derive(Default)]
struct Slots {
    free: Mutex<Free>,
    given_back: Condvar,
}

#[derive(Default)]
struct Free {
    generation: u32,
    slots: Vec<u32>,
    /// What lies in memory of the decoder, under which generation and slot.
    lent: Vec<(u32, u32, gstreamer::Buffer)>,
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) -> u32 {
        let mut free = self.lock();
        free.generation += 1;
        free.slots = (0..SLOTS).collect();
        free.generation
    }

    fn try_take(&self) -> Option<u32> {
        self.lock().slots.pop()
    }

    fn take(&self) -> u32 {
        let mut free = self.lock();
        loop {
            match free.slots.pop() {
                Some(slot) => return slot,
                None => {
                    let waited = self.given_back.wait(free);
                    free = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Slots of an older memory are gone with it.
    fn give_back(&self, generation: u32, slot: u32) {
        let mut free = self.lock();
        if generation == free.generation && !free.slots.contains(&slot) {
            free.slots.push(slot);
            self.given_back.notify_one();
        }
        let place = free.lent.iter().position(|(g, s, _)| (*g, *s) == (generation, slot));
        let lent = place.map(|place| free.lent.swap_remove(place));
        drop(free);
        // It goes back to its decoder, which may have something to say.
        drop(lent);
    }

    /// Whether another frame may be held.
    fn may_lend(&self) -> bool {
        self.lock().lent.len() < LENT
    }

    /// Holds a frame until its slot comes back.
    fn hold(&self, generation: u32, slot: u32, buffer: gstreamer::Buffer) {
        self.lock().lent.push((generation, slot, buffer));
    }
}

impl Outlet {
    /// Nothing sent yet. What comes before `from_ns` has been shown: nothing goes out before
    /// [`Outlet::go_on`].
    pub fn new(stage: Arc<Socket>, lends: bool, from_ns: u64) -> Self {
        let (lends, slots) = (AtomicBool::new(lends), Slots::default());
        let hold_ns = if from_ns > 0 { u64::MAX } else { 0 };
        let writer = Writer { end_ns: from_ns, from_ns: hold_ns, ..Writer::default() };
        let shared = FrameAllocator::default();
        Outlet { stage, lends, shared, slots, writer: Mutex::new(writer) }
    }

    /// Where decoders are to put frames.
    pub fn shared(&self) -> &FrameAllocator {
        &self.shared
    }

    /// Frames of a device are copied from now on.
    pub fn keep(&self) {
        self.lends.store(false, Ordering::Relaxed);
    }

    /// From now on frames go out, but for those that were over at `from_ns`. Running times begin at
    /// zero `offset_ns` after the start.
    pub fn go_on(&self, from_ns: u64, offset_ns: u64) {
        let mut writer = self.writer();
        (writer.from_ns, writer.offset_ns) = (from_ns, offset_ns);
    }

    /// The stage has given back a slot.
    pub fn give_back(&self, generation: u32, slot: u32) {
        self.slots.give_back(generation, slot);
    }

    /// Whether a frame has gone out, from here or from the worker before.
    pub fn has_shown(&self) -> bool {
        let writer = self.writer();
        writer.last_ns.is_some() || writer.from_ns > 0
    }

    /// When the last frame is over, in nanoseconds after the start.
    pub fn end_ns(&self) -> u64 {
        self.writer().end_ns
    }

    /// Running times begin at zero again, behind what was sent; how long this round was.
    pub fn begin_again(&self) -> u64 {
        let mut writer = self.writer();
        let round_ns = writer.end_ns.saturating_sub(writer.offset_ns);
        writer.offset_ns = writer.end_ns;
        round_ns
    }

    /// Tells the stage which decoder of hardware has been taken.
    pub fn hardware(&self, decoder: &str) {
        self.say(&Event::Hardware { decoder: decoder.to_owned() });
    }

    /// Tells the stage how long the file says that it lasts.
    pub fn length(&self, length: ClockTime) {
        self.say(&Event::Length { ns: length.nseconds() });
    }

    /// Tells the stage that the last frame has gone out.
    pub fn end(&self) {
        let at_ns = self.end_ns();
        self.say(&Event::End { at_ns });
    }

    /// Tells the stage that the last frame has gone out sooner than it should have.
    pub fn break_off(&self, text: String) {
        let at_ns = self.end_ns();
        self.say(&Event::BrokeOff { at_ns, text });
    }

    /// Tells the stage that nothing more will come.
    pub fn fail(&self, text: String) {
        self.say(&Event::Failed { text });
    }

    fn say(&self, event: &Event) {
        // It fails when the stage is gone, and then this process ends.
        let _ = self.stage.send(event.write().bytes(), None);
    }

    /// Sends one sample, waiting for a slot if need be.
    pub fn frame(&self, sample: &gstreamer::Sample) -> Result<FlowSuccess, FlowError> {
        match self.writer().frame(sample, self) {
            Ok(()) => Ok(FlowSuccess::Ok),
            Err(OutletError::Stage(_)) => Err(FlowError::Eos),
            Err(error) => {
                self.fail(error.to_string());
                Err(FlowError::Error)
            }
        }
    }

    /// A sample of a sound without pictures: now and then an empty frame goes out in its place.
    pub fn beat(&self, sample: &gstreamer::Sample) {
        match self.writer().beat(sample, self) {
            // It fails when the stage is gone, and then this process ends.
            Ok(()) | Err(OutletError::Stage(_)) => {}
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn frame(&mut self, sample: &gstreamer::Sample, out: &Outlet) -> Result<(), OutletError> {
        let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer()) else { return Ok(()) };
        let Some(at_ns) = self.due(sample, buffer) else { return Ok(()) };
        let described = self.describe(caps)?;
        let lasts_ns = described.lasts_ns(buffer);
        let Some(fields) = described.fields(buffer) else {
            return self.picture(sample, &described, (at_ns, lasts_ns, None), out);
        };
        let half_ns = lasts_ns / 2;
        for (at_ns, field) in [at_ns, at_ns + half_ns].into_iter().zip(fields) {
            self.picture(sample, &described, (at_ns, half_ns, Some(field)), out)?;
        }
        Ok(())
    }

    /// Sends a frame, or one field of it, that is due then and lasts so long.
    fn picture(
        &mut self,
        sample: &gstreamer::Sample,
        described: &Described,
        (at_ns, lasts_ns, field): (u64, u64, Option<Field>),
        out: &Outlet,
    ) -> Result<(), OutletError> {
        let Some(buffer) = sample.buffer() else { return Ok(()) };
        if self.is_over(at_ns.saturating_add(lasts_ns)) {
            return Ok(());
        }
        let generation = self.room(described.shape, out)?;
        let slot = out.slots.take();
        let lent = match field {
            None => self.lend((generation, slot), sample, described, out)?,
            // It is worked on.
            Some(_) => None,
        };
        if lent.is_none() {
            self.copy(buffer, described, slot)?;
        }
        if let Some(field) = field {
            let memory = self.memory.as_mut().and_then(|(_, memory)| memory.slot(slot));
            let parted = memory.and_then(|memory| field.part(described.shape, memory));
            parted.ok_or(OutletError::Buffer)?;
        }
        (self.last_ns, self.end_ns) = (Some(at_ns), at_ns.saturating_add(lasts_ns));
        let Described { shape, colour, pixel_aspect, .. } = *described;
        let frame = Frame { generation, slot, lent, shape, colour, pixel_aspect, at_ns, lasts_ns };
        Ok(out.stage.send(Event::Frame(frame).write().bytes(), None)?)
    }

    fn beat(&mut self, sample: &gstreamer::Sample, out: &Outlet) -> Result<(), OutletError> {
        let Some(buffer) = sample.buffer() else { return Ok(()) };
        let Some(at_ns) = self.due(sample, buffer) else { return Ok(()) };
        let lasts_ns = buffer.duration().map_or(0, ClockTime::nseconds);
        self.end_ns = at_ns.saturating_add(lasts_ns);
        let (Some(shape), true) = (Shape::new(Format::I420, 2, 2), self.is_time_to_beat(at_ns))
        else {
            return Ok(());
        };
        let generation = self.room(shape, out)?;
        // Nobody waits for one: the next sample may find a slot.
        let Some(slot) = out.slots.try_take() else { return Ok(()) };
        self.last_ns = Some(at_ns);
        let (colour, pixel_aspect, lent) = (Colour::UNSEEN, 1.0, None);
        let lasts_ns = BEAT_NS;
        let frame = Frame { generation, slot, lent, shape, colour, pixel_aspect, at_ns, lasts_ns };
        Ok(out.stage.send(Event::Frame(frame).write().bytes(), None)?)
    }

    fn is_time_to_beat(&self, at_ns: u64) -> bool {
        self.last_ns.is_none_or(|last| at_ns >= last.saturating_add(BEAT_NS))
    }

    /// When the frame is due. None for one that is outside of what plays, or was sent already: the
    /// first frame comes once before the start and again with it.
    fn due(&self, sample: &gstreamer::Sample, buffer: &gstreamer::BufferRef) -> Option<u64> {
        let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
        let at_ns = match buffer.pts() {
            Some(pts) => segment.to_running_time(pts)?.nseconds() + self.offset_ns,
            None => self.end_ns,
        };
        self.last_ns.is_none_or(|last| at_ns > last).then_some(at_ns)
    }

    /// Whether a frame that ends then has been shown by another worker.
    fn is_over(&self, ends_ns: u64) -> bool {
        self.from_ns > 0 && ends_ns < self.from_ns.saturating_add(SLIVER_NS)
    }

    fn describe(&mut self, caps: &gstreamer::CapsRef) -> Result<Described, OutletError> {
        if let Some((known, described)) = &self.described
            && AsRef::<gstreamer::CapsRef>::as_ref(known) == caps
        {
            return Ok(described.clone());
        }
        let described = Described::new(caps)?;
        self.described = Some((caps.to_owned(), described.clone()));
        Ok(described)
    }

    /// Memory for such frames, by its number.
    fn room(&mut self, shape: Shape, out: &Outlet) -> Result<u32, OutletError> {
        if let Some((generation, memory)) = &self.memory
            && shape.bytes() <= memory.slot_bytes() as usize
        {
            return Ok(*generation);
        }
        let memory = Written::new(shape.bytes())?;
        let generation = out.slots.renew();
        self.lender.forget();
        let event = Event::Pool { generation, slot_bytes: memory.slot_bytes() };
        out.stage.send(event.write().bytes(), Some(memory.fd()))?;
        self.memory = Some((generation, memory));
        Ok(generation)
    }

    /// Where the stage finds the frame if it can stay where it is.
    fn lend(
        &mut self,
        (generation, slot): (u32, u32),
        sample: &gstreamer::Sample,
        described: &Described,
        out: &Outlet,
    ) -> Result<Option<Lent>, OutletError> {
        // Not a copy of it: its decoder would take it for free.
        let Some(buffer) = sample.buffer_owned() else { return Ok(None) };
        let may_lend = out.lends.load(Ordering::Relaxed) && out.slots.may_lend();
        if !may_lend && !out.shared.has_made(&buffer) {
            return Ok(None);
        }
        let lent = self.lender.lend(&buffer, described, &out.stage)?;
        Ok(lent.inspect(|_| out.slots.hold(generation, slot, buffer)))
    }

    fn copy(
        &mut self,
        buffer: &gstreamer::BufferRef,
        described: &Described,
        slot: u32,
    ) -> Result<(), OutletError> {
        let memory = self.memory.as_mut().and_then(|(_, memory)| memory.slot(slot));
        let memory = memory.ok_or(OutletError::Buffer)?;
        if !described.woven.is_plain {
            return lender::copy(buffer, described, memory).ok_or(OutletError::Buffer);
        }
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &described.info)
            .map_err(|_| OutletError::Buffer)?;
        let strides = frame.plane_stride().iter();
        for ((plane, data), stride) in
            described.shape.planes().iter().zip(frame.planes_data()).zip(strides)
        {
            copy_plane(plane, data, *stride, memory).ok_or(OutletError::Buffer)?;
        }
        Ok(())
    }
}

/// None if the source is smaller than it says.
fn copy_plane(plane: &PlaneAt, from: &[u8], stride: i32, memory: &mut [u8]) -> Option<()> {
    if plane.rows == 0 {
        return Some(());
    }
    let into = memory.get_mut(plane.offset_bytes..plane.offset_bytes + plane.bytes())?;
    let stride = usize::try_from(stride).ok().filter(|stride| *stride > 0)?;
    if stride == plane.stride_bytes as usize && from.len() >= into.len() {
        into.copy_from_slice(&from[..into.len()]);
        return Some(());
    }
    let used = plane.row_bytes as usize;
    for (row, into) in into.chunks_exact_mut(plane.stride_bytes as usize).enumerate() {
        into[..used].copy_from_slice(from.get(row * stride..row * stride + used)?);
    }
    Some(())
}

#[cfg(test)]
mod tests;
