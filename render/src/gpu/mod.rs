//! The GPU: which one, and what is done with it.
//!
//! A real adapter first, a software one as the last resort, with a warning, and only until there is a
//! real one ([`lookout`]). Vulkan before OpenGL;
//! `WGPU_BACKEND` (`vulkan` or `gl`) narrows the choice. Values pass through as encoded: no sRGB
//! format anywhere.
//!
//! Start at [`painter`] (what the stage sees), then [`compositor`] (how a frame is drawn),
//! [`texture`] (where pictures lie) and [`target`] (where light comes out).

pub(crate) mod capture;
mod compositor;
mod import;
mod lending;
mod light;
pub(crate) mod lookout;
pub(crate) mod painter;
mod proof;
pub(crate) mod target;
#[cfg(test)]
mod tests;
mod texture;
mod unweave;
mod upload;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wgpu::{Adapter, Backends, Device, DeviceType, Instance, Queue, Surface};
use winit::event_loop::OwnedDisplayHandle;
use winit::raw_window_handle::{HasWindowHandle, RawWindowHandle};
use winit::window::Window;

pub(crate) use self::light::to_sdr;
use crate::source::Waker;

/// Messages of the driver that are logged; a broken one would say the same at each frame.
const MESSAGES_LOGGED: u32 = 16;

/// A device that can be drawn with.
#[derive(Clone)]
pub(crate) struct Gpu {
    instance: Instance,
    pub adapter: Adapter,
    pub device: Device,
    pub queue: Queue,
    /// The processor does the work.
    pub software: bool,
    lost: Arc<AtomicBool>,
}

/// Which GPU is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The best there is.
    Any,
    /// One that is no software.
    Real,
}

/// A GPU, and a surface of it on the window that it was opened for.
pub(crate) type Opened = (Gpu, Option<Surface<'static>>);

/// What a window is made of, for a surface on it.
#[derive(Clone)]
pub(crate) struct Pane {
    pub window: Arc<Window>,
    pub display: OwnedDisplayHandle,
}

impl Pane {
    /// Whether the display server asks for frames within the display's own time, as Wayland does.
    pub(crate) fn is_paced(&self) -> bool {
        let handle = self.window.window_handle();
        handle.is_ok_and(|handle| matches!(handle.as_raw(), RawWindowHandle::Wayland(_)))
    }
}

impl Gpu {
    /// Sets up the best device for `pane`, or for drawing offscreen. Takes tens of milliseconds:
    /// not for the stage's own thread. `waker` is called when the device is lost.
    ///
    /// # Errors
    /// What was tried and why it did not work, for people.
    pub(crate) fn open(
        wanted: Wanted,
        pane: Option<&Pane>,
        waker: &Waker,
    ) -> Result<Opened, String> {
        let nodes = has_render_node();
        if wanted == Wanted::Real && !nodes {
            // Loading drivers to find out costs more than it is worth.
            return Err("the kernel offers no GPU (no /dev/dri/renderD…)".to_owned());
        }
        let mut tried = Vec::new();
        let mut software = Vec::new();
        for backends in choice() {
            let (real, slow) = candidates(backends, pane, &mut tried);
            software.extend(slow.into_iter().filter(|_| wanted == Wanted::Any));
            for candidate in real {
                match candidate.open(waker) {
                    Ok(open) => return Ok(open),
                    Err(error) => tried.push(error),
                }
            }
            if backends == Backends::VULKAN && !software.is_empty() && !nodes {
                // OpenGL could only offer another software adapter.
                break;
            }
        }
        for candidate in software {
            match candidate.open(waker) {
                Ok(open) => {
                    tracing::warn!(gpu = open.0.describe(), "drawing in software: slow");
                    return Ok(open);
                }
                Err(error) => tried.push(error),
            }
        }
        Err(if tried.is_empty() { "no driver".to_owned() } else { tried.join("; ") })
    }

    /// A surface on another window than the one it was opened for.
    ///
    /// # Errors
    /// What was tried and why it did not work, for people.
    pub(crate) fn surface(&self, pane: &Pane) -> Result<Surface<'static>, String> {
        let surface = self.instance.create_surface(pane.window.clone());
        let surface = surface.map_err(|error| format!("no surface on this window: {error}"))?;
        match self.adapter.is_surface_supported(&surface) {
            true => Ok(surface),
            false => Err(format!("{} cannot draw on this display", self.describe())),
        }
    }

    /// As many pixels as it draws a side.
    pub(crate) fn most_px(&self) -> u32 {
        self.device.limits().max_texture_dimension_2d
    }

    /// The device is gone: everything on it must be made again on another one.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// As the driver does it when it resets the hardware.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Adapter, driver and whether it is a software one, for people.
    pub(crate) fn describe(&self) -> String {
        describe(&self.adapter)
    }
}

fn describe(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    let software = if is_software(adapter) { ", software" } else { "" };
    let driver = [info.driver, info.driver_info].join(" ");
    format!("{} ({}, {}{software})", info.name, info.backend, driver.trim())
}

fn is_software(adapter: &Adapter) -> bool {
    adapter.get_info().device_type == DeviceType::Cpu
}

/// The back ends to try, one after the other: each costs start-up time and memory.
fn choice() -> Vec<Backends> {
    match Backends::from_env() {
        Some(wanted) => [Backends::VULKAN, Backends::GL]
            .into_iter()
            .filter(|backends| wanted.contains(*backends))
            .collect(),
        None => vec![Backends::VULKAN, Backends::GL],
    }
}

/// Whether the kernel offers a GPU at all.
fn has_render_node() -> bool {
    let Ok(entries) = fs::read_dir("/dev/dri") else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
}

/// An adapter that fits the surface, with what keeps it alive.
struct Candidate {
    instance: Instance,
    adapter: Adapter,
    surface: Option<Surface<'static>>,
}

/// The real adapters and the software ones of one back end.
fn candidates(
    backends: Backends,
    pane: Option<&Pane>,
    tried: &mut Vec<String>,
) -> (Vec<Candidate>, Vec<Candidate>) {
    let instance = Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty().with_env(),
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds::default(),
        backend_options: wgpu::BackendOptions::from_env_or_default(),
        display: pane.map(|pane| Box::new(pane.display.clone()) as _),
    });
    let mut found = Vec::new();
    for adapter in pollster::block_on(instance.enumerate_adapters(backends)) {
        let surface = match pane.map(|pane| instance.create_surface(pane.window.clone())) {
            None => None,
            Some(Ok(surface)) if adapter.is_surface_supported(&surface) => Some(surface),
            Some(Ok(_)) => {
                tried.push(format!("{} cannot draw on this display", describe(&adapter)));
                continue;
            }
            Some(Err(error)) => {
                tried.push(format!("{backends:?}: no surface on this window: {error}"));
                break;
            }
        };
        found.push(Candidate { instance: instance.clone(), adapter, surface });
    }
    let (mut real, software): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| !is_software(&found.adapter));
    real.sort_by_key(|found| match found.adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        _ => 2,
    });
    (real, software)
}

impl Candidate {
    fn open(self, waker: &Waker) -> Result<Opened, String> {
        let Candidate { instance, adapter, surface } = self;
        let limits = wgpu::Limits::downlevel_defaults().using_resolution(adapter.limits());
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("stage"),
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        }))
        .map_err(|error| format!("{}: {error}", describe(&adapter)))?;
        let lost = Arc::new(AtomicBool::new(false));
        watch(&device, &lost, waker);
        let software = is_software(&adapter);
        Ok((Gpu { instance, adapter, device, queue, software, lost }, surface))
    }
}

/// Notes the loss of the device and logs what the driver complains about.
fn watch(device: &Device, lost: &Arc<AtomicBool>, waker: &Waker) {
    let (flag, wake) = (lost.clone(), waker.clone());
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            tracing::warn!(?reason, message, "the GPU device is lost");
            flag.store(true, Ordering::Relaxed);
            wake();
        }
    });
    let logged = AtomicU32::new(0);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        if logged.fetch_add(1, Ordering::Relaxed) < MESSAGES_LOGGED {
            tracing::error!(%error, "the GPU refused a command");
        }
    }));
}
