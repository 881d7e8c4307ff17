// One layer: a rectangle of screen pixels, filled with a picture over a background.
// Values pass through as encoded; no sRGB conversion anywhere.

struct Layer {
    // Left, top, right, bottom, in pixels of the upright picture.
    rect: vec4<f32>,
    // Rows that take (x, y, 1) in these pixels to clip space.
    clip_x: vec4<f32>,
    clip_y: vec4<f32>,
    // Picture coordinates at the same edges; outside 0..1 only the background is seen.
    uv: vec4<f32>,
    // Rows of colour::rows.
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // colour::chroma_at: scale x, y, offset x, y.
    chroma: vec4<f32>,
    // Premultiplied.
    background: vec4<f32>,
    // x: opacity; y: 1 where its edges run through pixels; z: which light its numbers stand for.
    mix: vec4<f32>,
};

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var linear: sampler;
// RGBA, or luma.
@group(0) @binding(2) var plane0: texture_2d<f32>;
// Cb and Cr; the same as plane0 for RGBA.
@group(0) @binding(3) var plane1: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) @interpolate(linear) uv: vec2<f32>,
    // In pixels from the left top and from the right bottom edge.
    @location(1) @interpolate(linear) inwards: vec4<f32>,
};

// Half a pixel more on each side of what has soft edges, so that there is something to soften.
const MARGIN: f32 = 0.75;

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    let beyond = (at * 2.0 - 1.0) * MARGIN * layer.mix.y;
    let pixel = mix(layer.rect.xy, layer.rect.zw, at) + beyond;
    let extent = layer.rect.zw - layer.rect.xy;
    var out: Corner;
    let point = vec3<f32>(pixel, 1.0);
    out.position = vec4<f32>(dot(point, layer.clip_x.xyz), dot(point, layer.clip_y.xyz), 0.0, 1.0);
    out.uv = mix(layer.uv.xy, layer.uv.zw, at) + (layer.uv.zw - layer.uv.xy) * beyond / extent;
    out.inwards = vec4<f32>(pixel - layer.rect.xy, layer.rect.zw - pixel);
    return out;
}

// Share of a pixel that lies inwards of edges at these distances.
fn share(inwards: vec4<f32>) -> f32 {
    let nearest = min(min(inwards.x, inwards.y), min(inwards.z, inwards.w));
    return clamp(nearest + 0.5, 0.0, 1.0);
}

fn over_background(picture: vec4<f32>, in: Corner) -> vec4<f32> {
    let step = fwidth(in.uv);
    let seen = picture * share(vec4<f32>(in.uv / step, (1.0 - in.uv) / step));
    let within = mix(1.0, share(in.inwards), layer.mix.y);
    return (seen + layer.background * (1.0 - seen.a)) * layer.mix.x * within;
}

fn from_yuv(uv: vec2<f32>) -> vec3<f32> {
    let luma = textureSampleLevel(plane0, linear, uv, 0.0).r;
    let chroma = textureSampleLevel(plane1, linear, uv * layer.chroma.xy + layer.chroma.zw, 0.0).rg;
    let sample = vec4<f32>(luma, chroma, 1.0);
    return vec3<f32>(dot(sample, layer.red), dot(sample, layer.green), dot(sample, layer.blue));
}

@fragment
fn rgba(in: Corner) -> @location(0) vec4<f32> {
    return over_background(textureSampleLevel(plane0, linear, in.uv, 0.0), in);
}

@fragment
fn yuv(in: Corner) -> @location(0) vec4<f32> {
    let rgb = clamp(from_yuv(in.uv), vec3<f32>(0.0), vec3<f32>(1.0));
    return over_background(vec4<f32>(rgb, 1.0), in);
}

// Where the picture covers all pixels, opaque: the target clamps, nothing is blended.
@fragment
fn yuv_alone(in: Corner) -> @location(0) vec4<f32> {
    return vec4<f32>(from_yuv(in.uv), 1.0);
}
