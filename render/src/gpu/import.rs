//! A decoder's memory as a buffer of the GPU: the only `unsafe` file of the compositor.
//!
//! In:  a descriptor of a fixed size. Out: a buffer that shaders read, or why there is none.
//!
//! As a buffer, not as an image: drivers know few orders of samples, a shader knows them all.
//!
//! Not here: whether what is read is right (`lending`).

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use ash::vk;
use wgpu::hal::{api::Vulkan, vulkan};
use wgpu::{Buffer, BufferDescriptor, BufferUsages, Device};

const HANDLE: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT;
const USAGE: vk::BufferUsageFlags = vk::BufferUsageFlags::STORAGE_BUFFER;
/// What the driver must have.
const EXTENSIONS: [&std::ffi::CStr; 2] =
    [ash::khr::external_memory_fd::NAME, ash::ext::external_memory_dma_buf::NAME];

/// Whether the driver says that it takes memory of decoders.
///
/// # Errors
/// What it lacks, for people.
#[allow(unsafe_code)]
pub(super) fn probe(device: &Device) -> Result<(), String> {
    // SAFETY: the device is asked questions alone, and nothing of it is kept.
    let hal = unsafe { device.as_hal::<Vulkan>() }.ok_or("pictures are not drawn by Vulkan")?;
    let has = |name: &&std::ffi::CStr| hal.enabled_device_extensions().contains(name);
    if let Some(missing) = EXTENSIONS.iter().find(|name| !has(name)) {
        return Err(format!("the GPU's driver has no {}", missing.to_string_lossy()));
    }
    let instance = hal.shared_instance();
    if instance.instance_api_version() < vk::API_VERSION_1_1 {
        return Err("the GPU's driver is older than Vulkan 1.1".to_owned());
    }
    let info = vk::PhysicalDeviceExternalBufferInfo::default().usage(USAGE).handle_type(HANDLE);
    let mut found = vk::ExternalBufferProperties::default();
    // SAFETY: the physical device is the instance's, both structures live until the call returns, and
    // the call is of Vulkan 1.1, which the instance has.
    unsafe {
        instance.raw_instance().get_physical_device_external_buffer_properties(
            hal.raw_physical_device(),
            &info,
            &mut found,
        );
    }
    let features = found.external_memory_properties.external_memory_features;
    match features.contains(vk::ExternalMemoryFeatureFlags::IMPORTABLE) {
        true => Ok(()),
        false => Err("the GPU's driver takes no dma-buf as a buffer".to_owned()),
    }
}

/// A buffer that is the first `bytes` of `fd`, of which it keeps a descriptor of its own.
///
/// [`probe`] was content with this device, and `fd` has a fixed size of `bytes` or more.
///
/// # Errors
/// What the driver says.
#[allow(unsafe_code)]
pub(super) fn buffer(device: &Device, fd: BorrowedFd<'_>, bytes: u32) -> Result<Buffer, String> {
    let fd = fd.try_clone_to_owned().map_err(|error| format!("no descriptor: {error}"))?;
    let size = u64::from(bytes / 4 * 4);
    if size == 0 {
        return Err("memory without bytes".to_owned());
    }
    let raw = {
        // SAFETY: what is made from the device is destroyed before it, by wgpu.
        let hal = unsafe { device.as_hal::<Vulkan>() }.ok_or("not drawn by Vulkan")?;
        import(&hal, fd, size)?
    };
    let (label, usage) = (Some("lent"), BufferUsages::STORAGE);
    let descriptor = BufferDescriptor { label, size, usage, mapped_at_creation: false };
    // SAFETY: the buffer was made from this very device, of this size and for this use. Its bytes are
    // whatever the decoder wrote there: for a shader that reads numbers, all of them are initialised.
    // Nobody but the decoder writes to it; one that does so while it is read changes samples, and
    // nothing is decided by their values. `size` is not zero.
    Ok(unsafe { device.create_buffer_from_hal::<Vulkan>(raw, &descriptor) })
}

#[allow(unsafe_code)]
fn import(hal: &vulkan::Device, fd: OwnedFd, size: u64) -> Result<vulkan::Buffer, String> {
    let device = hal.raw_device();
    let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(HANDLE);
    let info = vk::BufferCreateInfo::default().size(size).usage(USAGE).push_next(&mut external);
    // SAFETY: the device is alive, `info` and what it points to live until the call returns.
    let buffer = unsafe { device.create_buffer(&info, None) }
        .map_err(|error| format!("the driver makes no buffer: {error}"))?;
    bind(hal, fd, buffer)
        .map(|memory| {
            // SAFETY: buffer and memory are of this device, whole, bound to each other and nobody
            // else's: wgpu destroys both. The buffer is never mapped.
            unsafe { vulkan::Buffer::from_raw_managed(buffer, memory, 0, size) }
        })
        .inspect_err(|_| {
            // SAFETY: the buffer was made above, and nothing uses it.
            unsafe { device.destroy_buffer(buffer, None) };
        })
}

/// Memory that is `fd`, bound to `buffer`.
#[allow(unsafe_code)]
fn bind(hal: &vulkan::Device, fd: OwnedFd, buffer: vk::Buffer) -> Result<vk::DeviceMemory, String> {
    let device = hal.raw_device();
    let external =
        ash::khr::external_memory_fd::Device::new(hal.shared_instance().raw_instance(), device);
    let mut fits = vk::MemoryFdPropertiesKHR::default();
    // SAFETY: the extension is enabled (`probe`), the descriptor is open, the buffer of this device.
    let (needs, known) = unsafe {
        let known = external.get_memory_fd_properties(HANDLE, fd.as_raw_fd(), &mut fits);
        (device.get_buffer_memory_requirements(buffer), known)
    };
    known.map_err(|error| format!("the driver does not know this memory: {error}"))?;
    let kinds = needs.memory_type_bits & fits.memory_type_bits;
    if kinds == 0 {
        return Err("the driver has no place for this memory".to_owned());
    }
    let mut alone = vk::MemoryDedicatedAllocateInfo::default().buffer(buffer);
    // The driver's from here on. One that does not take it should leave it to us, and Mesa's software
    // driver closes it all the same: it is left open, once, as nothing is imported after a refusal.
    let fd = fd.into_raw_fd();
    let mut source = vk::ImportMemoryFdInfoKHR::default().handle_type(HANDLE).fd(fd);
    let info = vk::MemoryAllocateInfo::default()
        .allocation_size(needs.size)
        .memory_type_index(kinds.trailing_zeros())
        .push_next(&mut source)
        .push_next(&mut alone);
    // SAFETY: as above; a driver checks that the descriptor holds what is asked for.
    let memory = unsafe { device.allocate_memory(&info, None) }
        .map_err(|error| format!("the driver does not take this memory: {error}"))?;
    // SAFETY: both were made above, and neither is bound.
    if let Err(error) = unsafe { device.bind_buffer_memory(buffer, memory, 0) } {
        // SAFETY: nothing uses it.
        unsafe { device.free_memory(memory, None) };
        return Err(format!("the driver does not bind this memory: {error}"));
    }
    Ok(memory)
}
