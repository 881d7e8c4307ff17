//! One pass over the layers of a page, back to front; one pipeline per pixel format, made when first
//! needed, and a cheaper one for video that covers its pixels.
//!
//! In:  passes of draws ([`Draw`]) with the textures of their pictures. Out: commands. Changes
//! nothing but its targets: same draws, same picture.

use std::cell::OnceCell;

use wgpu::{
    BindGroup, BindGroupLayout, Buffer, CommandEncoder, Device, Queue, RenderPipeline, Sampler,
    ShaderModule, ShaderStages, TextureFormat, TextureView,
};

use super::texture::Format;
use crate::place::Quad;
use crate::scene::{Rgb, Rotation, Size};
use crate::source::Light;

/// Draws of one frame. A layout has 32 zones at most, each with an old and a new picture while
/// pages change, and a few overlays lie above.
pub(super) const DRAWS: usize = 160;
/// Every device can bind uniforms at multiples of this.
const UNIFORM_STEP_BYTES: usize = 256;

/// One layer, ready to be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    pub quad: Quad,
    /// Nothing is seen through it or beside it.
    pub alone: bool,
    pub background: Option<Rgb>,
    pub opacity: f32,
    pub format: Format,
    pub rows: [[f32; 4]; 3],
    pub chroma: [f32; 4],
    pub light: Light,
    pub bind: &'a BindGroup,
}

/// Draws onto one target, over a background.
pub(super) struct Pass<'a> {
    pub view: &'a TextureView,
    /// Of the target.
    pub size: Size,
    /// How the picture lies on the target.
    pub rotation: Rotation,
    /// None: what is there stays.
    pub background: Option<Rgb>,
    pub draws: Vec<Draw<'a>>,
}

/// `Layer` in `layer.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Uniform {
    rect: [f32; 4],
    clip: [[f32; 4]; 2],
    uv: [f32; 4],
    rows: [[f32; 4]; 3],
    chroma: [f32; 4],
    background: [f32; 4],
    mix: [f32; 4],
}

/// What every picture is bound to.
pub(super) struct Layout {
    group: BindGroupLayout,
    sampler: Sampler,
    uniforms: Buffer,
}

/// Draws frames for targets of one format.
pub(super) struct Compositor {
    pub layout: Layout,
    format: TextureFormat,
    shader: ShaderModule,
    pipelines: [OnceCell<RenderPipeline>; 4],
}

/// How a layer is drawn; also its pipeline's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Rgba,
    Yuv,
    YuvAlone,
    /// Of another light than SDR.
    YuvLight,
}

impl Style {
    fn of(format: Format, light: Light, alone: bool) -> Style {
        match (format, light, alone) {
            (Format::Rgba, ..) => Style::Rgba,
            (Format::Yuv, Light::Wide | Light::Pq | Light::Hlg, _) => Style::YuvLight,
            (Format::Yuv, Light::Sdr, false) => Style::Yuv,
            (Format::Yuv, Light::Sdr, true) => Style::YuvAlone,
        }
    }

    fn entry(self) -> &'static str {
        match self {
            Style::Rgba => "rgba",
            Style::Yuv => "yuv",
            Style::YuvAlone => "yuv_alone",
            Style::YuvLight => "yuv_light",
        }
    }

    fn blend(self) -> Option<wgpu::BlendState> {
        let alone = self == Style::YuvAlone;
        (!alone).then_some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING)
    }
}

impl Compositor {
    pub(super) fn new(device: &Device, format: TextureFormat) -> Compositor {
        let text = concat!(include_str!("layer.wgsl"), include_str!("light.wgsl"));
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("layer"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        Compositor { layout: Layout::new(device), format, shader, pipelines: Default::default() }
    }

    /// Makes the pipeline that pictures of `format` mostly need, if it is not there yet: not
    /// within the first frame's time.
    pub(super) fn prepare(&self, device: &Device, format: Format, light: Light) {
        self.pipeline(device, Style::of(format, light, true));
    }

    /// Records one frame: `passes` one after the other. Draws beyond [`DRAWS`] are left out.
    pub(super) fn draw(
        &self,
        (device, queue): (&Device, &Queue),
        encoder: &mut CommandEncoder,
        passes: &[Pass<'_>],
    ) {
        self.layout.write(queue, passes);
        let mut offsets = (0..DRAWS).map(|index| (index * UNIFORM_STEP_BYTES) as u32);
        for pass in passes {
            let mut render = begin(encoder, pass);
            for (draw, offset) in pass.draws.iter().zip(&mut offsets) {
                let style = Style::of(draw.format, draw.light, draw.alone);
                render.set_pipeline(self.pipeline(device, style));
                render.set_bind_group(0, draw.bind, &[offset]);
                render.draw(0..4, 0..1);
            }
        }
    }

    fn pipeline(&self, device: &Device, style: Style) -> &RenderPipeline {
        self.pipelines[style as usize].get_or_init(|| self.make(device, style))
    }

    fn make(&self, device: &Device, style: Style) -> RenderPipeline {
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&self.layout.group)],
            immediate_size: 0,
        });
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(style.entry()),
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module: &self.shader,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..Default::default()
            },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &self.shader,
                entry_point: Some(style.entry()),
                compilation_options: Default::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format: self.format,
                    blend: style.blend(),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        })
    }
}

impl Layout {
    fn new(device: &Device) -> Layout {
        let entries = [
            wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: wgpu::BufferSize::new(size_of::<Uniform>() as u64),
                },
                count: None,
            },
            wgpu::BindGroupLayoutEntry {
                binding: 1,
                visibility: ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
                count: None,
            },
            plane_entry(2),
            plane_entry(3),
        ];
        let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("layer"),
            entries: &entries,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("layers"),
            size: (DRAWS * UNIFORM_STEP_BYTES) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Layout { group, sampler, uniforms }
    }

    /// Binds one picture's planes; a single one stands in for the second.
    pub(super) fn bind(&self, device: &Device, planes: &[TextureView]) -> BindGroup {
        let uniform = wgpu::BufferBinding {
            buffer: &self.uniforms,
            offset: 0,
            size: wgpu::BufferSize::new(size_of::<Uniform>() as u64),
        };
        let mut entries = vec![
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(uniform) },
            wgpu::BindGroupEntry {
                binding: 1,
                resource: wgpu::BindingResource::Sampler(&self.sampler),
            },
        ];
        let two = planes.iter().chain(planes.last()).take(2);
        entries.extend(two.zip(2..).map(|(view, binding)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(view),
        }));
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("picture"),
            layout: &self.group,
            entries: &entries,
        })
    }

    fn write(&self, queue: &Queue, passes: &[Pass<'_>]) {
        let draws = passes.iter().flat_map(|pass| pass.draws.iter().map(move |draw| (pass, draw)));
        let mut bytes = Vec::with_capacity(DRAWS * UNIFORM_STEP_BYTES);
        for (pass, draw) in draws.take(DRAWS) {
            let end = bytes.len() + UNIFORM_STEP_BYTES;
            bytes.extend_from_slice(bytemuck::bytes_of(&Uniform::of(draw, pass)));
            bytes.resize(end, 0);
        }
        if !bytes.is_empty() {
            queue.write_buffer(&self.uniforms, 0, &bytes);
        }
    }
}

impl Uniform {
    fn of(draw: &Draw<'_>, pass: &Pass<'_>) -> Uniform {
        let background = draw.background.map_or([0.0; 4], |Rgb(rgb)| {
            let [red, green, blue] = rgb.map(|code| f32::from(code) / 255.0);
            [red, green, blue, 1.0]
        });
        // The edge of what is turned runs through pixels.
        let soft = if draw.quad.turned_deg == 0.0 { 0.0 } else { 1.0 };
        Uniform {
            rect: draw.quad.edges,
            clip: to_clip(&draw.quad, pass),
            uv: draw.quad.uv,
            rows: draw.rows,
            chroma: draw.chroma,
            background,
            mix: [draw.opacity, soft, kind(draw.light), 0.0],
        }
    }
}

/// As `to_sdr` in `light.wgsl` has it.
fn kind(light: Light) -> f32 {
    match light {
        Light::Sdr => 0.0,
        Light::Wide => 1.0,
        Light::Pq => 2.0,
        Light::Hlg => 3.0,
    }
}

/// Rows that take a quad's pixel (x, y, 1) to clip space: turned about its point, then with the
/// whole picture.
fn to_clip(quad: &Quad, pass: &Pass<'_>) -> [[f32; 4]; 2] {
    let upright = pass.rotation.upright(pass.size);
    let (width, height) = (f64::from(upright.width_px), f64::from(upright.height_px));
    let (sin, cos) = f64::from(quad.turned_deg).to_radians().sin_cos();
    let [about_x, about_y] = quad.about.map(f64::from);
    let x = [cos, -sin, about_x - cos * about_x + sin * about_y];
    let y = [sin, cos, about_y - sin * about_x - cos * about_y];
    // To -1 ..= 1, upwards.
    let x = [x[0] * 2.0 / width, x[1] * 2.0 / width, x[2] * 2.0 / width - 1.0];
    let y = [-y[0] * 2.0 / height, -y[1] * 2.0 / height, 1.0 - y[2] * 2.0 / height];
    let against = |row: [f64; 3]| row.map(|number| -number);
    let (x, y) = match pass.rotation {
        Rotation::None => (x, y),
        Rotation::Quarter => (y, against(x)),
        Rotation::Half => (against(x), against(y)),
        Rotation::ThreeQuarters => (against(y), x),
    };
    [x, y].map(|row| [row[0] as f32, row[1] as f32, row[2] as f32, 0.0])
}

fn plane_entry(binding: u32) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
        count: None,
    }
}

fn begin<'a>(encoder: &'a mut CommandEncoder, pass: &Pass<'_>) -> wgpu::RenderPass<'a> {
    let clear = |Rgb(rgb): Rgb| {
        let [r, g, b] = rgb.map(|code| f64::from(code) / 255.0);
        wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 })
    };
    encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("frame"),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: pass.view,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations {
                load: pass.background.map_or(wgpu::LoadOp::Load, clear),
                store: wgpu::StoreOp::Store,
            },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    })
}
