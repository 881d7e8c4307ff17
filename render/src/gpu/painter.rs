//! What the stage sees of the GPU: pictures are put under their turn's number, frames are drawn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use wgpu::{BindGroup, TextureFormat, TextureUsages, TextureView};

use super::Gpu;
use super::compositor::{Compositor, Draw, Pass};
use super::lending::Lending;
use super::target;
use super::texture::{Format, Kind, Pool, Slot};
use super::upload::Upload;
use crate::colour;
use crate::place::{Area, Quad};
use crate::scene::{Rgb, Rotation, Size, Turn};
use crate::source::{Chroma, Light, Picture, Plane};
use crate::stage::{Drawn, Frame, Page, Paint, Painter};
use crate::zero_copy::ZeroCopy;

/// Around what displays show of a picture.
const BLACK: Rgb = Rgb([0; 3]);
/// Of one kind that are kept: a board has two displays, whose pictures may differ in size.
const SHEETS: usize = 2;

/// Draws on a real device.
pub(crate) struct GpuPainter {
    pub gpu: Gpu,
    pub format: TextureFormat,
    compositor: Compositor,
    pool: Pool,
    /// For pictures of the size that came last; None while nothing moves.
    upload: Option<Upload>,
    lending: Option<Lending>,
    pictures: BTreeMap<Turn, Lying>,
    /// Stands in where there is no picture, only a background.
    flat: Slot,
    /// What pages that come in are drawn on first; empty while none does.
    coming: RefCell<Vec<Rc<Sheet>>>,
    /// What displays show parts of; empty while one shows all of it as it is drawn.
    whole: RefCell<Vec<Rc<Sheet>>>,
}

/// A target that is a picture afterwards.
pub(crate) struct Sheet {
    size: Size,
    view: TextureView,
    bind: BindGroup,
}

/// A picture on the GPU and what its numbers mean.
struct Lying {
    slot: Slot,
    rows: [[f32; 4]; 3],
    chroma: [f32; 4],
    light: Light,
}

impl GpuPainter {
    /// For targets of `format`.
    pub(crate) fn new(gpu: Gpu, format: TextureFormat) -> GpuPainter {
        let compositor = Compositor::new(&gpu.device, format);
        let size = Size { width_px: 1, height_px: 1 };
        let one = Kind { format: Format::Rgba, size, drawn: false };
        let flat = Slot::make(&gpu.device, &compositor.layout, one);
        GpuPainter {
            gpu,
            format,
            compositor,
            pool: Pool::default(),
            upload: None,
            lending: None,
            pictures: BTreeMap::new(),
            flat,
            coming: RefCell::default(),
            whole: RefCell::default(),
        }
    }

    /// Draws what decoders lend from now on, as long as that goes well.
    pub(crate) fn borrow_frames(&mut self, trust: Arc<ZeroCopy>) {
        self.lending = Some(Lending::new(&self.gpu, trust));
    }

    /// Draws all of `frame` onto the only window, `view` of `size`.
    pub(crate) fn draw(&self, frame: &Frame, view: &TextureView, size: Size) {
        if frame.others.is_empty() {
            return self.draw_alone(frame, view, size);
        }
        let mut background = Some(BLACK);
        for own in frame.pictures() {
            let picture = self.picture(own);
            self.draw_parts((&picture, &own.parts), (view, size), (own.rotation, background));
            background = None;
        }
    }

    /// Draws one picture of `frame` with all of its parts onto `view` of `size`.
    pub(crate) fn draw_alone(&self, frame: &Frame, view: &TextureView, size: Size) {
        let upright = frame.rotation.upright(size);
        let whole = Quad::of(Area::of(upright));
        if upright == frame.size && frame.parts.iter().all(|part| *part == whole) {
            self.whole.take();
            self.draw_page(frame, (view, size), frame.rotation);
        } else {
            let picture = self.picture(frame);
            let how = (frame.rotation, Some(BLACK));
            self.draw_parts((&picture, &frame.parts), (view, size), how);
        }
    }

    /// Draws all of `frame` once, for displays that show parts of it.
    pub(crate) fn picture(&self, frame: &Frame) -> Rc<Sheet> {
        let sheet = self.sheet(&self.whole, frame.size);
        self.draw_page(frame, (&sheet.view, sheet.size), Rotation::None);
        sheet
    }

    /// Draws display `number`'s part of `frame`, whose picture was drawn, onto `view` of `size`.
    pub(crate) fn draw_part(
        &self,
        frame: &Frame,
        (picture, number): (&Sheet, usize),
        view: &TextureView,
        size: Size,
    ) {
        let own = frame.parts.get(number..=number).unwrap_or_default();
        self.draw_parts((picture, own), (view, size), (frame.rotation, Some(BLACK)));
    }

    fn draw_parts(
        &self,
        (picture, parts): (&Sheet, &[Quad]),
        on: (&TextureView, Size),
        (rotation, background): (Rotation, Option<Rgb>),
    ) {
        let part = |quad: &Quad| Drawn {
            paint: Paint::Coming,
            quad: *quad,
            background: None,
            opacity: 1.0,
        };
        let page = Page { background: BLACK, layers: parts.iter().map(part).collect() };
        let pass = self.pass(&page, Some(picture), on, rotation);
        self.submit(&[Pass { background, ..pass }]);
    }

    /// Draws the pages of `frame` onto all of `view`.
    fn draw_page(&self, frame: &Frame, (view, size): (&TextureView, Size), rotation: Rotation) {
        let sheet = frame.coming.as_ref().map(|_| self.sheet(&self.coming, frame.size));
        if sheet.is_none() {
            self.coming.take();
        }
        let first = sheet
            .as_deref()
            .zip(frame.coming.as_ref())
            .map(|(sheet, page)| self.pass(page, None, (&sheet.view, sheet.size), Rotation::None));
        let last = self.pass(&frame.page, sheet.as_deref(), (view, size), rotation);
        self.submit(&first.into_iter().chain([last]).collect::<Vec<_>>());
    }

    fn submit(&self, passes: &[Pass<'_>]) {
        let Gpu { device, queue, .. } = &self.gpu;
        let mut encoder = device.create_command_encoder(&Default::default());
        self.compositor.draw((device, queue), &mut encoder, passes);
        queue.submit([encoder.finish()]);
    }

    fn pass<'a>(
        &'a self,
        page: &Page,
        sheet: Option<&'a Sheet>,
        (view, size): (&'a TextureView, Size),
        rotation: Rotation,
    ) -> Pass<'a> {
        let draws = page.layers.iter().filter_map(|layer| self.ready(layer, sheet)).collect();
        Pass { view, size, rotation, background: Some(page.background), draws }
    }

    /// The sheet of this size, one that is kept if it is that.
    fn sheet(&self, kept: &RefCell<Vec<Rc<Sheet>>>, size: Size) -> Rc<Sheet> {
        let mut kept = kept.borrow_mut();
        if let Some(sheet) = kept.iter().find(|sheet| sheet.size == size) {
            return Rc::clone(sheet);
        }
        let usage = TextureUsages::RENDER_ATTACHMENT | TextureUsages::TEXTURE_BINDING;
        let view = target::view(&target::texture(&self.gpu, self.format, size, usage));
        let bind = self.compositor.layout.bind(&self.gpu.device, std::slice::from_ref(&view));
        let sheet = Rc::new(Sheet { size, view, bind });
        kept.insert(0, Rc::clone(&sheet));
        kept.truncate(SHEETS);
        sheet
    }

    fn ready<'a>(&'a self, layer: &Drawn, sheet: Option<&'a Sheet>) -> Option<Draw<'a>> {
        let plain = |bind| Draw {
            quad: layer.quad,
            alone: false,
            background: layer.background,
            opacity: layer.opacity,
            format: Format::Rgba,
            rows: [[0.0; 4]; 3],
            chroma: [0.0; 4],
            light: Light::Sdr,
            bind,
        };
        match layer.paint {
            Paint::Flat => Some(plain(&self.flat.bind)),
            Paint::Coming => sheet.map(|sheet| plain(&sheet.bind)),
            Paint::Turn(turn) => {
                let lying = self.pictures.get(&turn)?;
                let Lying { ref slot, rows, chroma, light } = *lying;
                let format = slot.kind.format;
                let alone = format == Format::Yuv && covers(layer);
                Some(Draw { alone, format, rows, chroma, light, ..plain(&slot.bind) })
            }
        }
    }

    fn fill(&mut self, slot: &Slot, picture: &Picture<'_>) -> Result<(), String> {
        match picture {
            Picture::Rgba { size, data } => slot.put_still(&self.gpu.queue, *size, data),
            Picture::Yuv { size, luma, chroma, .. } => self.upload(slot, *size, (luma, chroma)),
            Picture::Lent(lent) => {
                let planes = slot.yuv().ok_or("no textures for luma and chroma")?;
                let shown = self.lending.as_mut();
                if shown.is_some_and(|lending| lending.show(&self.gpu, lent, planes)) {
                    return Ok(());
                }
                let read = lent.read()?;
                let (luma, chroma) = lent.planes(&read).ok_or("a lent frame without planes")?;
                self.upload(slot, lent.size(), (&luma, &chroma))
            }
        }
    }

    fn upload(
        &mut self,
        slot: &Slot,
        size: Size,
        (luma, chroma): (&Plane<'_>, &Chroma<'_>),
    ) -> Result<(), String> {
        let planes = slot.yuv().ok_or("no textures for luma and chroma")?;
        let kept = self.upload.take().filter(|upload| upload.fits(size));
        let upload = self.upload.insert(match kept {
            Some(upload) => upload,
            None => Upload::new(&self.gpu, size),
        });
        upload.put(&self.gpu, luma, chroma, planes)
    }

    fn slot(&mut self, turn: Turn, kind: Kind) -> Result<Slot, String> {
        match self.pictures.remove(&turn) {
            Some(lying) if lying.slot.kind == kind => return Ok(lying.slot),
            Some(other) => self.pool.give(other.slot),
            None => {}
        }
        self.pool.take(&self.gpu.device, &self.compositor.layout, kind)
    }
}

/// Whether the picture fills its quad and lets nothing through, if it is opaque.
fn covers(layer: &Drawn) -> bool {
    layer.opacity >= 1.0 && layer.quad.is_filled() && layer.quad.turned_deg == 0.0
}

impl Painter for GpuPainter {
    fn put(&mut self, turn: Turn, picture: &Picture<'_>) -> Result<(), String> {
        let kind = Kind::of(picture);
        let light = picture.colour().map_or(Light::Sdr, |colour| colour.light);
        self.compositor.prepare(&self.gpu.device, kind.format, light);
        let slot = self.slot(turn, kind)?;
        self.fill(&slot, picture)?;
        let (rows, chroma) = match picture.colour() {
            None => ([[0.0; 4]; 3], [0.0; 4]),
            Some(colour) => {
                (colour::rows(colour), colour::chroma_at(kind.size, colour.chroma_left))
            }
        };
        self.pictures.insert(turn, Lying { slot, rows, chroma, light });
        Ok(())
    }

    fn remove(&mut self, turn: Turn) {
        if let Some(lying) = self.pictures.remove(&turn) {
            self.pool.give(lying.slot);
        }
        let moving = |lying: &Lying| lying.slot.kind.format == Format::Yuv;
        if !self.pictures.values().any(moving) {
            self.upload = None;
            self.lending.iter_mut().for_each(Lending::forget);
        }
    }
}
