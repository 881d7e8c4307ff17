//! The file, by the descriptor that the stage has handed over.
//!
//! In:  a descriptor.
//! Out: an element that reads it wherever it is asked to, as `filesrc` does.
//!
//! GStreamer's own do not do: `filesrc` opens by name, and who has no capabilities may not open again what
//! only its owner may read; `fdsrc` reads from front to back, and demuxers then cannot start over by
//! themselves.

use std::os::fd::OwnedFd;

use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;
use gstreamer::{Element, glib};

/// An element that gives the bytes of `file`.
pub fn source(file: OwnedFd) -> Element {
    let source: File = glib::Object::new();
    source.imp().set(file);
    source.upcast()
}

mod imp {
    use std::os::fd::OwnedFd;
    use std::sync::{LazyLock, OnceLock};

    use gstreamer::subclass::ElementMetadata;
    use gstreamer::subclass::prelude::*;
    use gstreamer::{
        BufferRef, Caps, FlowError, FlowSuccess, PadDirection, PadPresence, PadTemplate, QueryRef,
        QueryViewMut, ResourceError, glib,
    };
    use gstreamer_app::gst_base::subclass::prelude::*;
    use gstreamer_app::gst_base::{self, prelude::*};

    /// Asked for at once by who reads from front to back: parsers of bare streams do.
    const BLOCK_BYTES: u32 = 64 << 10;

    /// Whatever it is called on the disk.
    const NAME: &str = "vitrine:file";

    #[derive(Default)]
    pub struct File(OnceLock<OwnedFd>);

    impl File {
        pub fn set(&self, file: OwnedFd) {
            // It is set once, by who has just made it.
            let _ = self.0.set(file);
        }

        /// As many bytes as there are, up to all of `into`.
        fn read(&self, into: &mut [u8], from: u64) -> std::io::Result<usize> {
            let Some(file) = self.0.get() else { return Ok(0) };
            let mut filled = 0;
            while filled < into.len() {
                match rustix::io::pread(file, &mut into[filled..], from + filled as u64) {
                    Ok(0) => break,
                    Ok(read) => filled += read,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(filled)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for File {
        const NAME: &'static str = "VitrineFile";
        type Type = super::File;
        type ParentType = gst_base::BaseSrc;
    }

    impl ObjectImpl for File {
        fn constructed(&self) {
            self.parent_constructed();
            self.obj().set_blocksize(BLOCK_BYTES);
        }
    }

    impl GstObjectImpl for File {}

    impl ElementImpl for File {
        fn metadata() -> Option<&'static ElementMetadata> {
            static METADATA: LazyLock<ElementMetadata> = LazyLock::new(|| {
                ElementMetadata::new("File", "Source/File", "Reads a descriptor", "Vitrine")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [PadTemplate] {
            static TEMPLATES: LazyLock<Vec<PadTemplate>> = LazyLock::new(|| {
                let any = Caps::new_any();
                let template =
                    PadTemplate::new("src", PadDirection::Src, PadPresence::Always, &any);
                template.into_iter().collect()
            });
            &TEMPLATES
        }
    }

    impl BaseSrcImpl for File {
        fn is_seekable(&self) -> bool {
            true
        }

        fn size(&self) -> Option<u64> {
            let found = rustix::fs::fstat(self.0.get()?).ok()?;
            u64::try_from(found.st_size).ok()
        }

        fn query(&self, query: &mut QueryRef) -> bool {
            if let QueryViewMut::Uri(uri) = query.view_mut() {
                // A name for it, and by that for its streams: without one they get another at random
                // whenever they are asked, and do not find their way.
                uri.set_uri(Some(NAME));
                return true;
            }
            BaseSrcImplExt::parent_query(self, query)
        }

        fn fill(
            &self,
            offset: u64,
            length: u32,
            buffer: &mut BufferRef,
        ) -> Result<FlowSuccess, FlowError> {
            let filled = {
                let mut bytes = buffer.map_writable().map_err(|_| FlowError::Error)?;
                let wanted = bytes.len().min(length as usize);
                self.read(&mut bytes[..wanted], offset)
            };
            match filled {
                Ok(0) => Err(FlowError::Eos),
                Ok(filled) => {
                    buffer.set_size(filled);
                    buffer.set_offset(offset);
                    buffer.set_offset_end(offset + filled as u64);
                    Ok(FlowSuccess::Ok)
                }
                Err(error) => {
                    gstreamer::element_imp_error!(self, ResourceError::Read, ["read: {error}"]);
                    Err(FlowError::Error)
                }
            }
        }
    }
}

glib::wrapper! {
    /// Reads a descriptor.
    pub struct File(ObjectSubclass<imp::File>)
        @extends gstreamer_app::gst_base::BaseSrc, Element, gstreamer::Object;
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use gstreamer::{ClockTime, FlowError, PadMode, State};

    use super::*;

    #[test]
    fn bytes_come_from_wherever_they_are_asked_for() {
        gstreamer::init().expect("gstreamer");
        let mut file = tempfile::tempfile().expect("file");
        let whole: Vec<u8> = (0..200_000u32).map(|place| (place % 251) as u8).collect();
        file.write_all(&whole).expect("written");
        let source = source(file.into());
        let pad = source.static_pad("src").expect("a pad");
        pad.activate_mode(PadMode::Pull, true).expect("it can be read anywhere");
        for (from, length, wanted) in [
            (150_000, 1_000, &whole[150_000..151_000]),
            (0, 70_000, &whole[..70_000]),
            (199_990, 4_096, &whole[199_990..]),
        ] {
            let bytes = pad.range(from, length).expect("bytes");
            assert_eq!(bytes.offset(), from);
            assert!(*bytes.map_readable().expect("map") == *wanted, "{length} from {from}");
        }
        assert_eq!(pad.range(200_000, 1).err(), Some(FlowError::Eos));
        source.set_state(State::Null).expect("ended");
        assert_eq!(source.state(ClockTime::ZERO).1, State::Null);
    }
}
