//! Messages there and back, and what is none.

use proptest::prelude::*;

use super::*;

fn audio() -> impl Strategy<Value = AudioOut> {
    prop_oneof![
        Just(AudioOut::Auto),
        Just(AudioOut::None),
        Just(AudioOut::Hdmi),
        Just(AudioOut::Jack),
        Just(AudioOut::Usb),
        "[a-zA-Z0-9:=,é]{0,64}".prop_map(AudioOut::Alsa)
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (0..3usize, 0.0f32..=1.0, any::<[bool; 3]>(), any::<u64>(), audio()).prop_map(
            |(medium, volume, [looped, software, lend], from_ns, audio)| Command::Open {
                medium: [Medium::Video, Medium::Still, Medium::Sound][medium],
                volume,
                looped,
                software,
                lend,
                from_ns,
                audio
            }
        ),
        any::<u64>().prop_map(|at| Command::Start { at: Mono(at) }),
        (any::<u32>(), 0..SLOTS)
            .prop_map(|(generation, slot)| Command::Release { generation, slot }),
        prop::option::of(any::<u64>()).prop_map(|at| Command::LeavesAt { at: at.map(Mono) }),
        Just(Command::Hush),
        Just(Command::Keep),
    ]
}

fn lent() -> impl Strategy<Value = Lent> {
    let piece = any::<[u32; 3]>().prop_map(|[buffer, offset_bytes, pitch]| Piece {
        buffer,
        offset_bytes,
        pitch,
    });
    let order = prop::sample::select(ORDERS.to_vec());
    (order, prop::array::uniform3(piece)).prop_map(|(order, pieces)| Lent { order, pieces })
}

fn frame() -> impl Strategy<Value = Frame> {
    let shape = (0..4usize, 1u32..=8192, 1u32..=8192).prop_map(|(format, width, height)| {
        let format = [Format::I420, Format::Nv12, Format::I444, Format::Grey][format];
        Shape::new(format, width, height).expect("a sane size")
    });
    let weight = 0.0f32..=1.0;
    let light = prop::sample::select(vec![Light::Sdr, Light::Wide, Light::Pq, Light::Hlg]);
    let colour = (weight.clone(), weight, any::<bool>(), any::<bool>(), light).prop_map(
        |(kr, kb, full_range, chroma_left, light)| Colour {
            kr,
            kb,
            full_range,
            chroma_left,
            light,
        },
    );
    let times = (any::<u64>(), any::<u64>());
    let place = (any::<u32>(), 0..SLOTS, prop::option::of(lent()));
    (place, shape, colour, 0.0625f32..=16.0, times).prop_map(
        |((generation, slot, lent), shape, colour, pixel_aspect, (at_ns, lasts_ns))| Frame {
            generation,
            slot,
            lent,
            shape,
            colour,
            pixel_aspect,
            at_ns,
            lasts_ns,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Hello),
        "[a-z0-9]{0,40}".prop_map(|decoder| Event::Hardware { decoder }),
        any::<u64>().prop_map(|ns| Event::Length { ns }),
        (0u8..8).prop_filter_map("a byte", |bits| Walls::from_bits(bits).map(Event::Walls)),
        (any::<u32>(), any::<u32>())
            .prop_map(|(generation, slot_bytes)| Event::Pool { generation, slot_bytes }),
        any::<u32>().prop_map(|number| Event::Lend { number }),
        frame().prop_map(Event::Frame),
        any::<u64>().prop_map(|at_ns| Event::End { at_ns }),
        (any::<u64>(), ".{0,100}").prop_map(|(at_ns, text)| Event::BrokeOff { at_ns, text }),
        ".{0,100}".prop_map(|text| Event::Failed { text }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(command in command(), event in event()) {
        prop_assert_eq!(Command::read(command.write().bytes()), Ok(command));
        prop_assert_eq!(Event::read(event.write().bytes()), Ok(event));
    }

    #[test]
    fn garbage_is_refused_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..MESSAGE_BYTES), kind in 0u8..20
    ) {
        let mut known = bytes.clone();
        if let Some(first) = known.first_mut() {
            *first = kind;
        }
        for bytes in [bytes, known] {
            if let Ok(Event::Frame(frame)) = Event::read(&bytes) {
                prop_assert!(frame.slot < SLOTS && frame.pixel_aspect.is_finite());
            }
            let _ = Command::read(&bytes);
        }
    }

    #[test]
    fn a_cut_message_is_refused(event in frame(), cut in 0usize..40) {
        let packet = Event::Frame(event).write();
        prop_assert!(Event::read(&packet.bytes()[..cut]).is_err());
    }
}

#[test]
fn a_long_text_is_cut_between_letters() {
    let text = "é".repeat(MESSAGE_BYTES);
    let Ok(Event::Failed { text: read }) = Event::read(Event::Failed { text }.write().bytes())
    else {
        panic!("not read back");
    };
    assert_eq!(read.len(), TEXT_BYTES);
}
