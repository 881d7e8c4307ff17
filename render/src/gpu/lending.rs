//! Frames that stay where their decoder has put them, drawn from there.
//!
//! In:  loans. Out: pictures in textures; word of whether that may go on.
//!
//! The first frame of each order is read by the processor as well: only if every sample is the same
//! is the GPU believed. A buffer is imported once, as long as its worker lends it.

use std::sync::{Arc, Weak};

use wgpu::{Buffer, Texture};

use super::unweave::Unweave;
use super::{Gpu, import, proof};
use crate::source::LentPicture;
use crate::worker::lent::Order;
use crate::worker::loan::Borrowed;
use crate::zero_copy::ZeroCopy;

/// Buffers that are imported at a time: those of two decoders.
const KEPT: usize = 64;
/// The same, together. It is the decoders' memory: this bounds what stays of it when they go.
const KEPT_BYTES: u64 = 512 << 20;

/// What is lent to this GPU.
pub(super) struct Lending {
    trust: Arc<ZeroCopy>,
    unweave: Option<Unweave>,
    kept: Vec<(Weak<Borrowed>, Buffer)>,
    proved: Vec<Order>,
}

impl Lending {
    /// Asks the driver.
    pub(super) fn new(gpu: &Gpu, trust: Arc<ZeroCopy>) -> Lending {
        trust.probed(import::probe(&gpu.device));
        Lending { trust, unweave: None, kept: Vec::new(), proved: Vec::new() }
    }

    /// Draws what is lent onto the textures of luma and chroma. False: it has to be copied.
    pub(super) fn show(
        &mut self,
        gpu: &Gpu,
        picture: &LentPicture<'_>,
        onto: [&Texture; 2],
    ) -> bool {
        if !self.trust.may_lend() {
            return false;
        }
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let drawn = self.draw(gpu, picture, onto);
        let refused = pollster::block_on(scope.pop());
        let why = match (drawn, refused) {
            (Ok(()), None) => return true,
            (Err(why), _) => why,
            (Ok(()), Some(error)) => error.to_string(),
        };
        self.trust.refuse(&why);
        self.forget();
        false
    }

    /// Lets go of everything, as nothing moves any more.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    /// Buffers that are imported.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    fn draw(
        &mut self,
        gpu: &Gpu,
        picture: &LentPicture<'_>,
        onto: [&Texture; 2],
    ) -> Result<(), String> {
        // Frames that the GPU is done with go back now.
        gpu.device.poll(wgpu::PollType::Poll).map_err(|error| format!("GPU: {error}"))?;
        let loan = picture.loan;
        let [luma, second, third] = &loan.buffers;
        let buffers =
            [self.import(gpu, luma)?, self.import(gpu, second)?, self.import(gpu, third)?];
        let buffers = [&buffers[0], &buffers[1], &buffers[2]];
        let unweave = self.unweave.get_or_insert_with(|| Unweave::new(&gpu.device));
        let on = (&gpu.device, &gpu.queue);
        if !self.proved.contains(&picture.lent.order) {
            let wanted = picture.read()?;
            proof::compare(gpu, unweave, (picture.shape, &picture.lent), buffers, &wanted)?;
            self.proved.push(picture.lent.order);
            self.trust.proved(picture.describe());
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        unweave.draw(on, &mut encoder, &picture.lent, (buffers, onto));
        gpu.queue.submit([encoder.finish()]);
        let loan = Arc::clone(loan);
        gpu.queue.on_submitted_work_done(move || drop(loan));
        Ok(())
    }

    fn import(&mut self, gpu: &Gpu, borrowed: &Arc<Borrowed>) -> Result<Buffer, String> {
        let this = Arc::downgrade(borrowed);
        if let Some((_, buffer)) = self.kept.iter().find(|(known, _)| known.ptr_eq(&this)) {
            return Ok(buffer.clone());
        }
        self.kept.retain(|(known, _)| known.strong_count() > 0);
        let buffer = import::buffer(&gpu.device, borrowed.fd(), borrowed.bytes())?;
        self.kept.push((this, buffer.clone()));
        let all = |kept: &[(_, Buffer)]| kept.iter().map(|(_, buffer)| buffer.size()).sum::<u64>();
        while self.kept.len() > KEPT || all(&self.kept) > KEPT_BYTES {
            self.kept.remove(0);
        }
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::fs::{MemfdFlags, SealFlags};

    use super::super::tests::GPU;
    use super::*;
    use crate::gpu::texture::{Format, Kind, Slot};
    use crate::source::{Colour, Light};
    use crate::worker::frames::tests::dma_buf;
    use crate::worker::layout::Shape;
    use crate::worker::lent::Lent;
    use crate::worker::lent::tests::{code, filled, frame};
    use crate::worker::loan::Loan;

    const COLOUR: Colour =
        Colour { kr: 0.3, kb: 0.1, full_range: true, chroma_left: true, light: Light::Sdr };
    const NOTHING: SealFlags = SealFlags::empty();

    fn memory(data: &[u8], more: SealFlags) -> Arc<Borrowed> {
        let fd = rustix::fs::memfd_create("lent", MemfdFlags::ALLOW_SEALING).expect("memfd");
        // Whole pages, as decoders have it.
        rustix::fs::ftruncate(&fd, data.len().next_multiple_of(16_384) as u64).expect("size");
        assert_eq!(rustix::io::pwrite(&fd, data, 0), Ok(data.len()));
        let seals = SealFlags::SHRINK | SealFlags::GROW | more;
        rustix::fs::fcntl_add_seals(&fd, seals).expect("seals");
        Arc::new(Borrowed::new(fd).expect("a fixed size"))
    }

    /// A frame in memory that is sealed as `more` says, and how often it was given back.
    struct Lender {
        shape: Shape,
        lent: Lent,
        copy: Vec<u8>,
        buffer: Arc<Borrowed>,
        back: Arc<AtomicU32>,
    }

    impl Lender {
        fn of(order: Order, more: SealFlags) -> Lender {
            let (shape, lent, bytes) = frame(order, (130, 34), 3);
            let (data, copy) = filled((shape, lent, bytes), code);
            Lender { shape, lent, copy, buffer: memory(&data, more), back: Arc::default() }
        }

        /// In a real dma-buf, where there is one.
        fn of_dma_buf(order: Order) -> Option<Lender> {
            let (shape, lent, bytes) = frame(order, (130, 34), 3);
            let (data, copy) = filled((shape, lent, bytes), code);
            let buffer = Arc::new(Borrowed::new(dma_buf(&data)?).expect("a fixed size"));
            Some(Lender { shape, lent, copy, buffer, back: Arc::default() })
        }

        fn loan(&self) -> Arc<Loan> {
            let (buffer, back) = (&self.buffer, Arc::clone(&self.back));
            Arc::new(Loan::new([(); 3].map(|()| Arc::clone(buffer)), move || {
                back.fetch_add(1, Ordering::Relaxed);
            }))
        }

        fn picture<'a>(&self, loan: &'a Arc<Loan>) -> LentPicture<'a> {
            let (shape, lent) = (self.shape, self.lent);
            LentPicture { colour: COLOUR, pixel_aspect: 1.0, shape, lent, loan }
        }
    }

    fn textures(lender: &Lender) -> Slot {
        let (width_px, height_px) = (lender.shape.width_px(), lender.shape.height_px());
        let size = crate::scene::Size { width_px, height_px };
        let kind = Kind { format: Format::Yuv, size, drawn: true };
        let compositor =
            crate::gpu::compositor::Compositor::new(&GPU.device, wgpu::TextureFormat::Rgba8Unorm);
        Slot::make(&GPU.device, &compositor.layout, kind)
    }

    /// None where the driver takes no such memory, which is said.
    fn lending() -> Option<(Lending, Arc<ZeroCopy>)> {
        let trust = Arc::new(ZeroCopy::default());
        let lending = Lending::new(&GPU, Arc::clone(&trust));
        eprintln!("zero copy on {}: {}", GPU.describe(), trust.describe());
        let wanted = std::env::var_os("VITRINE_TEST_IMPORT").is_some();
        assert!(trust.may_lend() || !wanted, "this driver was to take memory of decoders");
        trust.may_lend().then_some((lending, trust))
    }

    #[test]
    fn a_driver_that_takes_no_such_memory_is_not_asked_again() {
        if lending().is_some() {
            return;
        }
        let trust = Arc::new(ZeroCopy::default());
        let mut lending = Lending::new(&GPU, Arc::clone(&trust));
        assert!(trust.describe().starts_with("no, the GPU's driver has no VK_"));
        let lender = Lender::of(Order::Pairs, NOTHING);
        let (loan, slot) = (lender.loan(), textures(&lender));
        assert!(!lending.show(&GPU, &lender.picture(&loan), slot.yuv().expect("planes")));
        assert_eq!(lender.picture(&loan).read().as_ref(), Ok(&lender.copy));
    }

    #[test]
    fn memory_of_a_decoder_is_read_where_it_lies() {
        let Some((mut lending, trust)) = lending() else { return };
        let orders = [Order::Pairs, Order::Planes, Order::Columns, Order::Columns10];
        let real = orders.into_iter().filter_map(Lender::of_dma_buf);
        for lender in orders.map(|order| Lender::of(order, NOTHING)).into_iter().chain(real) {
            let order = lender.lent.order;
            let slot = textures(&lender);
            for _ in 0..3 {
                let loan = lender.loan();
                let shown = lending.show(&GPU, &lender.picture(&loan), slot.yuv().expect("planes"));
                assert!(shown, "{order:?}: {}", trust.describe());
            }
            GPU.device.poll(wgpu::PollType::wait_indefinitely()).expect("done");
            assert_eq!(lender.back.load(Ordering::Relaxed), 3, "{order:?}: not given back");
            assert_eq!(lending.kept(), 1, "{order:?}: imported once, others are gone");
        }
        assert!(trust.describe().starts_with("yes, NV12 of 130x34"), "{}", trust.describe());
        lending.forget();
        assert_eq!(lending.kept(), 0);
    }

    #[test]
    fn memory_that_the_driver_refuses_ends_it() {
        let Some((mut lending, trust)) = lending() else { return };
        // Software drivers map it to write; hardware takes dma-bufs alone.
        let lender = Lender::of(Order::Pairs, SealFlags::WRITE);
        let (loan, slot) = (lender.loan(), textures(&lender));
        assert!(!lending.show(&GPU, &lender.picture(&loan), slot.yuv().expect("planes")));
        assert!(trust.describe().contains("does not take this memory"), "{}", trust.describe());
        assert_eq!(lender.picture(&loan).read().as_ref(), Ok(&lender.copy), "for the processor");
        let good = Lender::of(Order::Pairs, NOTHING);
        let loan = good.loan();
        assert!(!lending.show(&GPU, &good.picture(&loan), slot.yuv().expect("planes")), "again");
    }

    #[test]
    fn what_the_gpu_reads_otherwise_is_not_believed() {
        let Some((mut lending, trust)) = lending() else { return };
        let lender = Lender::of(Order::Columns, NOTHING);
        let other = Lender::of(Order::Pairs, NOTHING);
        // As if the driver had imported another buffer than the processor reads.
        let foreign = lending.import(&GPU, &other.buffer).expect("imported");
        lending.kept = vec![(Arc::downgrade(&lender.buffer), foreign)];
        let (loan, slot) = (lender.loan(), textures(&lender));
        assert!(!lending.show(&GPU, &lender.picture(&loan), slot.yuv().expect("planes")));
        assert!(trust.describe().contains("otherwise than the processor"), "{}", trust.describe());
    }
}
