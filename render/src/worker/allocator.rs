//! Where decoders in software put frames: memory that the stage reads where it is.
//!
//! In:  sizes that elements of GStreamer ask for. Out: memory with a descriptor, for [`super::lender`].
//!
//! Promises, each held by a test of the same name:
//! - `frames_get_memory_that_can_be_lent`.

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;
use gstreamer::{AllocationParams, BufferRef, Memory};
use gstreamer_allocators::FdAllocator;

use super::frames;

glib::wrapper! {
    /// Hands out memory that other processes can be given.
    pub struct FrameAllocator(ObjectSubclass<imp::FrameAllocator>)
        @extends gstreamer::Allocator, gstreamer::Object;
}

impl Default for FrameAllocator {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl FrameAllocator {
    /// Whether all of `buffer` lies in memory of this allocator.
    pub fn has_made(&self, buffer: &BufferRef) -> bool {
        let makers = self.imp().makers.upcast_ref::<gstreamer::Allocator>();
        buffer.n_memory() > 0 && buffer.iter_memories().all(|one| one.allocator() == Some(makers))
    }
}

mod imp {
    use gstreamer::glib::translate::IntoGlibPtr;

    use super::*;

    /// The memory itself is that of GStreamer's own maker of memory with a descriptor.
    #[derive(Debug)]
    pub struct FrameAllocator {
        pub(super) makers: FdAllocator,
    }

    impl Default for FrameAllocator {
        fn default() -> Self {
            FrameAllocator { makers: FdAllocator::new() }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for FrameAllocator {
        const NAME: &'static str = "VitrineFrameAllocator";
        type Type = super::FrameAllocator;
        type ParentType = gstreamer::Allocator;
    }

    impl ObjectImpl for FrameAllocator {}
    impl GstObjectImpl for FrameAllocator {}

    // SAFETY: `alloc` gives memory of its own that holds what was asked for, or none. It is freed by
    // the allocator that it names, which is `makers`.
    #[allow(unsafe_code)]
    unsafe impl AllocatorImpl for FrameAllocator {
        unsafe fn alloc(
            &self,
            size: usize,
            params: &AllocationParams,
        ) -> *mut gstreamer::ffi::GstMemory {
            match self.make(size, params) {
                Ok(memory) => memory.into_glib_ptr(),
                Err(error) => {
                    tracing::warn!(%error, size, "no memory for a frame");
                    std::ptr::null_mut()
                }
            }
        }
    }

    impl FrameAllocator {
        fn make(&self, size: usize, params: &AllocationParams) -> Result<Memory, glib::BoolError> {
            let whole = params.prefix() + size + params.padding();
            let memory = frames::shared(&self.makers, whole)
                .map_err(|error| glib::bool_error!("{error}"))?;
            // The map that is kept is the first one, and serves those for less alone.
            let mapped = memory.into_mapped_memory_writable();
            let mapped = mapped.map_err(|_| glib::bool_error!("it cannot be mapped"))?;
            let mut memory = mapped.into_memory();
            if let Some(memory) = memory.get_mut() {
                memory.resize(params.prefix()..params.prefix() + size);
            }
            Ok(memory)
        }
    }
}

#[cfg(test)]
mod tests {
    use gstreamer::{Buffer, MemoryRef};
    use gstreamer_allocators::FdMemory;

    use super::*;

    #[test]
    fn frames_get_memory_that_can_be_lent() {
        gstreamer::init().expect("gstreamer");
        let allocator = FrameAllocator::default();
        let params = AllocationParams::new(gstreamer::MemoryFlags::empty(), 31, 16, 48);
        let memory = allocator.alloc(100_000, Some(&params)).expect("memory");
        assert_eq!((memory.size(), memory.offset()), (100_000, 16));
        let mut buffer = Buffer::new();
        buffer.get_mut().expect("alone").append_memory(memory);
        assert!(allocator.has_made(&buffer));
        buffer.get_mut().expect("alone").copy_from_slice(0, b"a frame").expect("room");
        let memory: &MemoryRef = buffer.peek_memory(0);
        let fd = frames::descriptor(memory.downcast_memory_ref::<FdMemory>().expect("descriptor"));
        let fd = fd.expect("open");
        assert_eq!(frames::fixed_bytes(fd).expect("sealed"), 100_064);
        let mut seen = [0; 7];
        assert_eq!(rustix::io::pread(fd, &mut seen, 16), Ok(7));
        assert_eq!(&seen, b"a frame");
        let foreign = Buffer::with_size(64).expect("memory");
        assert!(!allocator.has_made(&foreign) && !allocator.has_made(&Buffer::new()));
    }
}
