//! Rows as they are copied, slots as they come and go.

use gstreamer::prelude::*;
use gstreamer::{Buffer, FormattedSegment, Memory, Sample};
use gstreamer_video::{VideoFormat, VideoInfo};

use super::*;

#[test]
fn rows_are_copied_whatever_the_stride_and_short_ones_are_refused() {
    let plane = PlaneAt { offset_bytes: 2, stride_bytes: 4, row_bytes: 3, rows: 2 };
    for (case, from, stride, want) in [
        ("same stride", &b"abc-def-"[..], 4, Some(&b"..abc-def-"[..])),
        ("wider", b"abc...def", 6, Some(b"..abc.def.")),
        ("too short", b"abc...de", 6, None),
        ("upside down", b"abc-def-", -4, None),
    ] {
        let mut memory = [b'.'; 10];
        let copied = copy_plane(&plane, from, stride, &mut memory).map(|()| &memory[..]);
        assert_eq!(copied, want, "case {case:?}");
    }
}

#[test]
fn what_is_lent_is_held_until_its_slot_comes_back() {
    gstreamer::init().expect("gstreamer");
    let slots = Slots::default();
    let generation = slots.renew();
    let mut buffers: Vec<_> = (0..LENT).map(|_| gstreamer::Buffer::new()).collect();
    for buffer in &buffers {
        assert!(slots.may_lend());
        slots.hold(generation, slots.take(), buffer.clone());
    }
    assert!(!slots.may_lend(), "a decoder is left without buffers");
    let alone = |buffers: &mut [gstreamer::Buffer]| {
        buffers.iter_mut().filter_map(|buffer| buffer.get_mut()).count()
    };
    assert_eq!(alone(&mut buffers), 0);
    let new = slots.renew();
    slots.give_back(new, SLOTS - 1);
    assert_eq!(alone(&mut buffers), 0, "another memory's slot");
    slots.give_back(generation, SLOTS - 1);
    assert_eq!((alone(&mut buffers), slots.may_lend()), (1, true));
}

#[test]
fn a_slot_of_an_older_memory_does_not_come_back() {
    let slots = Slots::default();
    let old = slots.renew();
    let slot = slots.take();
    let new = slots.renew();
    let taken: Vec<u32> = (0..SLOTS).map(|_| slots.take()).collect();
    assert_eq!(taken.len(), SLOTS as usize);
    slots.give_back(old, slot);
    assert!(slots.lock().slots.is_empty(), "came back");
    slots.give_back(new, 2);
    slots.give_back(new, 2);
    assert_eq!(slots.lock().slots, [2]);
}

#[test]
fn frames_in_shared_memory_are_lent_and_others_are_copied() {
    gstreamer::init().expect("gstreamer");
    let (stage, worker) = Socket::pair().expect("socket pair");
    let outlet = Outlet::new(Arc::new(Socket::from_fd(worker)), false, 0);
    let info = VideoInfo::builder(VideoFormat::I420, 64, 32).fps((25, 1)).build().expect("info");
    let caps = info.to_caps().expect("caps");
    let mut segment = FormattedSegment::<ClockTime>::new();
    segment.set_start(ClockTime::ZERO);
    let send = |shared: bool, number: u64| {
        let mut buffer = Buffer::new();
        let memory = match shared {
            true => outlet.shared().alloc(info.size(), None).expect("memory"),
            false => Memory::with_size(info.size()),
        };
        let alone = buffer.get_mut().expect("alone");
        alone.append_memory(memory);
        alone.set_pts(ClockTime::from_mseconds(40 * number));
        let sample = Sample::builder().caps(&caps).segment(&segment).buffer(&buffer).build();
        outlet.frame(&sample).expect("sent");
    };
    let next = || {
        let received = stage.receive().expect("open").expect("a packet");
        Event::read(received.bytes()).expect("an event")
    };
    let frame = || match next() {
        Event::Frame(frame) => frame,
        other => panic!("{other:?}"),
    };
    send(true, 0);
    assert!(matches!(next(), Event::Pool { .. }));
    assert!(matches!(next(), Event::Lend { number: 0 }));
    let lent = frame().lent.expect("lent");
    assert_eq!(lent.pieces.map(|piece| piece.offset_bytes), [0, 64 * 32, 64 * 32 + 32 * 16]);
    send(false, 1);
    assert_eq!(frame().lent, None);
    // More of them than a device would lend.
    for number in 2..=LENT as u64 {
        send(true, number);
        assert!(matches!(next(), Event::Lend { .. }));
        assert!(frame().lent.is_some());
    }
}
