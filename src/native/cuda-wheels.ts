// NVIDIA's libraries as Python wheels, those that tensorflow[and-cuda] asks for; its compiler is left out, which is for
// XLA only. The driver is the machine's. Resolved with pip for TensorFlow 2.21; all are of CUDA 12.
import type { Wheel } from './wheel.ts';

const of = (
  project: string,
  version: string,
  platform: string,
  bytes: number,
  sha256: string,
): Wheel => ({ project: `nvidia-${project}-cu12`, version, platform, bytes, sha256 });

const RECENT = 'manylinux_2_27_x86_64';
const OLD = 'manylinux2014_x86_64';

export const cudaWheels: readonly Wheel[] = [
  of(
    'cublas',
    '12.9.3.13',
    RECENT,
    581_217_458,
    'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72',
  ),
  of(
    'cuda-cupti',
    '12.8.90',
    OLD,
    10_248_621,
    'ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182',
  ),
  of(
    'cuda-nvrtc',
    '12.9.86',
    OLD,
    89_568_129,
    '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
  ),
  of(
    'cuda-runtime',
    '12.9.79',
    OLD,
    3_493_179,
    '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
  ),
  of(
    'cudnn',
    '9.28.0.42',
    RECENT,
    716_538_495,
    '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375',
  ),
  of(
    'cufft',
    '11.4.1.4',
    OLD,
    200_877_592,
    'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
  ),
  of(
    'curand',
    '10.3.10.19',
    RECENT,
    68_295_626,
    '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
  ),
  of(
    'cusolver',
    '11.7.5.82',
    RECENT,
    338_117_415,
    '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
  ),
  of(
    'cusparse',
    '12.5.10.65',
    OLD,
    366_465_088,
    '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
  ),
  of(
    'nccl',
    '2.32.3',
    RECENT,
    351_526_311,
    'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c',
  ),
  of(
    'nvjitlink',
    '12.9.86',
    OLD,
    39_748_338,
    'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
  ),
];
