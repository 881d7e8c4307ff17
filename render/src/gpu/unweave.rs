//! A pass that takes a frame out of its decoder's order, into the textures of luma and chroma.
//!
//! In:  buffers with a frame in them, checked. Out: commands.
//!
//! Not here: how a decoder's memory becomes a buffer (`import`).

use wgpu::{
    BindGroup, BindGroupLayout, Buffer, CommandEncoder, Device, Queue, RenderPipeline, Texture,
    TextureFormat,
};

use crate::worker::lent::{Lent, Order};

/// `Plane` in `unweave.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Uniform {
    first: u32,
    second: u32,
    pitch: u32,
    second_pitch: u32,
    order: u32,
    pad: [u32; 3],
}

/// Draws planes.
pub(super) struct Unweave {
    layout: BindGroupLayout,
    luma: RenderPipeline,
    chroma: RenderPipeline,
    uniforms: [Buffer; 2],
}

impl Unweave {
    pub(super) fn new(device: &Device) -> Unweave {
        let layout = layout(device);
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("unweave"),
            source: wgpu::ShaderSource::Wgsl(include_str!("unweave.wgsl").into()),
        });
        let make = |entry, format| pipeline(device, (&layout, &shader), entry, format);
        let (luma, chroma) =
            (make("luma", TextureFormat::R8Unorm), make("chroma", TextureFormat::Rg8Unorm));
        let uniforms = [(); 2].map(|()| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("unweave"),
                size: size_of::<Uniform>() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        Unweave { layout, luma, chroma, uniforms }
    }

    /// Records the passes. `buffers`: of each piece.
    pub(super) fn draw(
        &self,
        (device, queue): (&Device, &Queue),
        encoder: &mut CommandEncoder,
        lent: &Lent,
        (buffers, onto): ([&Buffer; 3], [&Texture; 2]),
    ) {
        let [luma, second, third] = lent.pieces;
        let order = match lent.order {
            Order::Pairs => 0,
            Order::Planes => 1,
            Order::Columns => 2,
            Order::Columns10 => 3,
        };
        let planes = [(luma, luma, [0, 0], &self.luma), (second, third, [1, 2], &self.chroma)];
        for (place, (first, other, [one, two], pipeline)) in planes.into_iter().enumerate() {
            let uniform = Uniform {
                first: first.offset_bytes,
                second: other.offset_bytes,
                pitch: first.pitch,
                second_pitch: other.pitch,
                order,
                pad: [0; 3],
            };
            queue.write_buffer(&self.uniforms[place], 0, bytemuck::bytes_of(&uniform));
            let both = [buffers[one], buffers[two]];
            let bind = self.bind(device, &self.uniforms[place], both);
            let mut pass = begin(encoder, onto[place]);
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &bind, &[]);
            pass.draw(0..3, 0..1);
        }
    }

    fn bind(&self, device: &Device, uniform: &Buffer, both: [&Buffer; 2]) -> BindGroup {
        let buffers = [uniform, both[0], both[1]];
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("unweave"),
            layout: &self.layout,
            entries: &entries,
        })
    }
}

fn layout(device: &Device) -> BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let read = wgpu::BufferBindingType::Storage { read_only: true };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("unweave"),
        entries: &[entry(0, wgpu::BufferBindingType::Uniform), entry(1, read), entry(2, read)],
    })
}

fn pipeline(
    device: &Device,
    (layout, shader): (&BindGroupLayout, &wgpu::ShaderModule),
    entry: &str,
    format: TextureFormat,
) -> RenderPipeline {
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(entry),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: shader,
            entry_point: Some("everywhere"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: shader,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format,
                blend: None,
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}

fn begin<'a>(encoder: &'a mut CommandEncoder, onto: &Texture) -> wgpu::RenderPass<'a> {
    let view = onto.create_view(&wgpu::TextureViewDescriptor::default());
    encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("unweave"),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: &view,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations {
                // All of it is drawn over: a GPU of tiles need not read what was there.
                load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                store: wgpu::StoreOp::Store,
            },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    })
}
