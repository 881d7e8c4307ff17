// Reads one plane of a frame where its decoder has put it, and writes it as rows of 8 bit samples:
// luma, or Cb and Cr side by side. The same addresses as in `worker/lent.rs`.

struct Plane {
    // First byte of luma, or of the pairs or Cb; and of Cr where it is apart.
    first: u32,
    second: u32,
    // Bytes from row to row, or rows of a column.
    pitch: u32,
    second_pitch: u32,
    // How samples follow each other, as `Order` has it.
    order: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
};

@group(0) @binding(0) var<uniform> plane: Plane;
@group(0) @binding(1) var<storage, read> buffer: array<u32>;
@group(0) @binding(2) var<storage, read> second_buffer: array<u32>;

const PAIRS: u32 = 0u;
const PLANES: u32 = 1u;
const COLUMNS: u32 = 2u;
const COLUMNS_10: u32 = 3u;

@vertex
fn everywhere(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle that covers all of the target.
    return vec4<f32>(f32((index << 1u) & 2u) * 2.0 - 1.0, f32(index & 2u) * 2.0 - 1.0, 0.0, 1.0);
}

// The byte at this address of a word that holds it.
fn byte_of(word: u32, address: u32) -> u32 {
    return (word >> ((address & 3u) * 8u)) & 255u;
}

// Code of the sample in this place of a row.
fn sample_at(x: u32, y: u32) -> u32 {
    if plane.order == COLUMNS_10 {
        let column = x / 96u;
        let within = x % 96u;
        let row = plane.first + ((column * plane.pitch + y) << 7u);
        let word = buffer[(row >> 2u) + within / 3u];
        let code = (word >> ((within % 3u) * 10u)) & 1023u;
        return (code * 255u + 511u) / 1023u;
    }
    var address = plane.first + y * plane.pitch + x;
    if plane.order == COLUMNS {
        address = plane.first + (((x >> 7u) * plane.pitch + y) << 7u) + (x & 127u);
    }
    return byte_of(buffer[address >> 2u], address);
}

@fragment
fn luma(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>(f32(sample_at(u32(at.x), u32(at.y))) / 255.0, 0.0, 0.0, 1.0);
}

@fragment
fn chroma(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
    let x = u32(at.x);
    let y = u32(at.y);
    var codes: vec2<u32>;
    if plane.order == PLANES {
        let address = plane.second + y * plane.second_pitch + x;
        codes = vec2<u32>(sample_at(x, y), byte_of(second_buffer[address >> 2u], address));
    } else {
        codes = vec2<u32>(sample_at(2u * x, y), sample_at(2u * x + 1u, y));
    }
    return vec4<f32>(vec2<f32>(codes) / 255.0, 0.0, 1.0);
}
