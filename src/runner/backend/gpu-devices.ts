// Whether this machine shows a GPU that TensorFlow could compute on, without loading any library to ask it.
import { existsSync } from 'node:fs';

/** NVIDIA's driver as devices, below WSL, as a module of the kernel (its devices may come with the first use). */
const SIGNS = ['/dev/nvidiactl', '/dev/dxg', '/proc/driver/nvidia/version', '/sys/module/nvidia'];

/** False where nobody can tell. */
export const showsNoGpu = (): boolean => process.platform === 'linux' && !SIGNS.some(existsSync);
