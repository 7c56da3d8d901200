// Preloaded into a process (`--import`): on SIGUSR2 its WebGPU device is lost, as when a driver resets.
interface Device {
  destroy(): void;
}
type RequestDevice = (this: unknown, ...args: unknown[]) => Promise<Device>;

let device: Device | undefined;
process.on('SIGUSR2', () => device?.destroy());

// Dawn's classes appear when the backend is loaded.
Object.defineProperty(globalThis, 'GPUAdapter', {
  configurable: true,
  set: (adapter: { readonly prototype: { requestDevice: RequestDevice } }) => {
    Object.defineProperty(globalThis, 'GPUAdapter', { value: adapter, configurable: true });
    const request = adapter.prototype.requestDevice;
    adapter.prototype.requestDevice = async function (...args) {
      device = await request.apply(this, args);
      return device;
    };
  },
});
