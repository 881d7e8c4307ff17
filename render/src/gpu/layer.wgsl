// One layer: a rectangle of screen pixels, filled with a picture over a background.
// Values pass through as encoded; no sRGB conversion anywhere.

struct Layer {
    // Left, top, right, bottom, in clip space.
    rect: vec4<f32>,
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
    // x: opacity.
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
    @location(0) uv: vec2<f32>,
};

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    var out: Corner;
    out.position = vec4<f32>(mix(layer.rect.xy, layer.rect.zw, at), 0.0, 1.0);
    out.uv = mix(layer.uv.xy, layer.uv.zw, at);
    return out;
}

fn over_background(picture: vec4<f32>, uv: vec2<f32>) -> vec4<f32> {
    let inside = all(uv >= vec2<f32>(0.0)) && all(uv <= vec2<f32>(1.0));
    let seen = select(vec4<f32>(0.0), picture, inside);
    return (seen + layer.background * (1.0 - seen.a)) * layer.mix.x;
}

fn from_yuv(uv: vec2<f32>) -> vec3<f32> {
    let luma = textureSample(plane0, linear, uv).r;
    let chroma = textureSample(plane1, linear, uv * layer.chroma.xy + layer.chroma.zw).rg;
    let sample = vec4<f32>(luma, chroma, 1.0);
    return vec3<f32>(dot(sample, layer.red), dot(sample, layer.green), dot(sample, layer.blue));
}

@fragment
fn rgba(in: Corner) -> @location(0) vec4<f32> {
    return over_background(textureSample(plane0, linear, in.uv), in.uv);
}

@fragment
fn yuv(in: Corner) -> @location(0) vec4<f32> {
    let rgb = clamp(from_yuv(in.uv), vec3<f32>(0.0), vec3<f32>(1.0));
    return over_background(vec4<f32>(rgb, 1.0), in.uv);
}

// Where the picture covers all pixels, opaque: the target clamps, nothing is blended.
@fragment
fn yuv_alone(in: Corner) -> @location(0) vec4<f32> {
    return vec4<f32>(from_yuv(in.uv), 1.0);
}
