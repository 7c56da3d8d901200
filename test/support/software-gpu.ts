// A Vulkan device made of software, for tests of WebGPU on machines without a GPU: SwiftShader, which Debian's Chromium
// brings. And the packages of WebGPU, fetched where they are missing and a registry can be reached.
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchWebgpu } from '../../src/native/index.ts';
import { findChromium } from './chromium.ts';
import { cacheDir } from './golden.ts';

const MANIFEST = 'vk_swiftshader_icd.json';

/** What tells Vulkan's loader of a driver. */
function findDriver(): string | null {
  const given = process.env['KVSHARE_VULKAN_ICD'];
  if (given) return given;
  const chromium = findChromium();
  const folders = ['/usr/lib/chromium', ...(chromium ? [dirname(realpathSync(chromium))] : [])];
  return folders.map((folder) => join(folder, MANIFEST)).find((path) => existsSync(path)) ?? null;
}

export interface SoftwareGpu {
  /** What is missing; null = nothing. */
  readonly missing: string | null;
  /** The environment of a process that sees only this device. */
  readonly env: NodeJS.ProcessEnv;
}

export async function softwareGpu(): Promise<SoftwareGpu> {
  const driver = findDriver();
  // Vulkan's loader stands beside the driver, for machines that have none of their own.
  const libraries = [process.env['LD_LIBRARY_PATH'], driver && dirname(driver)].filter(Boolean);
  const env = {
    ...process.env,
    ...{ VK_DRIVER_FILES: driver ?? '', VK_ICD_FILENAMES: driver ?? '' },
    LD_LIBRARY_PATH: libraries.join(':'),
  };
  if (driver === null) {
    const missing = `no SwiftShader: apt-get install chromium, or set KVSHARE_VULKAN_ICD to a ${MANIFEST}`;
    return { missing, env };
  }
  try {
    await fetchWebgpu({ cacheDir, signal: AbortSignal.timeout(180_000) });
  } catch (error) {
    return { missing: `no packages: ${(error as Error).message}`, env };
  }
  return { missing: null, env };
}
