// `to_sdr` of light.rs, step by step: from the light that a wide or high dynamic range video means to what
// an SDR display is handed. Sources are named there.

const WHITE_NITS: f32 = 203.0;
const PEAK_NITS: f32 = 1000.0;
const PQ_NITS: f32 = 10000.0;
const HLG_GAMMA: f32 = 1.2;
const GAMMA: f32 = 2.4;

const M1: f32 = 0.15930176;
const M2: f32 = 78.84375;
const C1: f32 = 0.8359375;
const C2: f32 = 18.851563;
const C3: f32 = 18.6875;

const HLG_A: f32 = 0.17883277;
const HLG_B: f32 = 0.28466892;
const HLG_C: f32 = 0.5599107;

const LUMINANCE: vec3<f32> = vec3<f32>(0.2627, 0.6780, 0.0593);

// pq_of_nits(PEAK_NITS), and that of WHITE_NITS in shares of it.
const PEAK: f32 = 0.7518271;
const WHITE: f32 = 0.77237025;
const KNEE: f32 = 1.5 * WHITE - 0.5;

fn narrower(rgb: vec3<f32>) -> vec3<f32> {
    let narrow = vec3<f32>(
        dot(rgb, vec3<f32>(1.660491, -0.5876411, -0.0728499)),
        dot(rgb, vec3<f32>(-0.1245505, 1.1329, -0.0083494)),
        dot(rgb, vec3<f32>(-0.0181508, -0.1005789, 1.1187297)),
    );
    return clamp(narrow, vec3<f32>(0.0), vec3<f32>(1.0));
}

fn nits_of_pq(code: vec3<f32>) -> vec3<f32> {
    let power = pow(code, vec3<f32>(1.0 / M2));
    let share = max(power - C1, vec3<f32>(0.0)) / (C2 - C3 * power);
    return PQ_NITS * pow(share, vec3<f32>(1.0 / M1));
}

fn pq_of_nits(nits: f32) -> f32 {
    let power = pow(nits / PQ_NITS, M1);
    return pow((C1 + C2 * power) / (1.0 + C3 * power), M2);
}

fn nits_of_hlg(code: vec3<f32>) -> vec3<f32> {
    let bright = (exp((code - HLG_C) / HLG_A) + HLG_B) / 12.0;
    let scene = select(bright, code * code / 3.0, code <= vec3<f32>(0.5));
    return scene * PEAK_NITS * pow(dot(scene, LUMINANCE), HLG_GAMMA - 1.0);
}

fn rolled_off(nits: f32) -> f32 {
    let value = min(pq_of_nits(nits) / PEAK, 1.0);
    let t = max(value - KNEE, 0.0) / (1.0 - KNEE);
    let t2 = t * t;
    let t3 = t2 * t;
    let bent = (2.0 * t3 - 3.0 * t2 + 1.0) * KNEE + (t3 - 2.0 * t2 + t) * (1.0 - KNEE)
        + (3.0 * t2 - 2.0 * t3) * WHITE;
    return select(nits_of_pq(vec3<f32>(bent * PEAK)).r, nits, value < KNEE);
}

fn srgb(linear: vec3<f32>) -> vec3<f32> {
    let bright = 1.055 * pow(linear, vec3<f32>(1.0 / 2.4)) - 0.055;
    return select(bright, 12.92 * linear, linear <= vec3<f32>(0.0031308));
}

fn shown(nits: vec3<f32>) -> vec3<f32> {
    let brightest = max(max(nits.r, nits.g), nits.b);
    let scale = select(0.0, rolled_off(brightest) / brightest / WHITE_NITS, brightest > 0.0);
    return srgb(narrower(nits * scale));
}

// `light`: 1 wide, 2 PQ, 3 HLG.
fn to_sdr(light: f32, code: vec3<f32>) -> vec3<f32> {
    if light < 1.5 {
        return pow(narrower(pow(code, vec3<f32>(GAMMA))), vec3<f32>(1.0 / GAMMA));
    }
    if light < 2.5 {
        return shown(nits_of_pq(code));
    }
    return shown(nits_of_hlg(code));
}

@fragment
fn yuv_light(in: Corner) -> @location(0) vec4<f32> {
    let code = clamp(from_yuv(in.uv), vec3<f32>(0.0), vec3<f32>(1.0));
    return over_background(vec4<f32>(to_sdr(layer.mix.z, code), 1.0), in);
}
