// What an app says when it mounts KVShare. Reuse is written as in kvshare.yaml and checked by the same schema.
import type { IncomingMessage } from 'node:http';
import { readCodeSettings } from '../config.ts';
import type { ConfigDocument } from '../config-file.ts';
import { KvShareError } from '../errors.ts';
import type { Runner } from '../protocol/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';

/** Whoever the app has made sure of. Requests of one tenant share KV; a user's conversations go on from their own. */
export interface Caller {
  readonly tenant: string;
  readonly user?: string | null | undefined;
}

/** A model that needs no file: with it equal tokens are found, meaning is not. */
export interface LoadedModel {
  readonly id: string;
  readonly tokenizer: Tokenizer;
}

export interface KvShareOptions<R = IncomingMessage> extends Pick<
  ConfigDocument,
  'reuse' | 'routes' | 'embedder' | 'record' | 'singleFlight' | 'healing' | 'guardFile'
> {
  /** Where the model runs: the address of a `kvshare runner`, or a runner, now or later. */
  readonly runner: string | Runner | Promise<string | Runner>;
  /**
   * Who asks, by what the app has verified (session, token), never by the body. Null, nothing, or an error: the
   * request is private and shares with nobody.
   */
  readonly identify?: (
    request: R,
  ) => Caller | null | undefined | Promise<Caller | null | undefined>;
  /** An `identify` that takes longer has not told: the request is private. */
  readonly identifyTimeoutMs?: number;
  /** Requests that go on to the app's own handler, untouched. */
  readonly bypass?: boolean | ((request: R) => boolean);
  /**
   * What requests do until the model's files are read: wait (30 s at most), or go on to the app's own handler. There
   * they go after `close`, too.
   */
  readonly whileStarting?: 'wait' | 'next';
  /** Errors are answered as OpenAI does, or handed to the app's error handlers as KvShareError. */
  readonly errors?: 'answer' | 'next';
  /** GGUF file of the runner's model; without it the default model, as for `kvshare sidecar`. */
  readonly model?: string | LoadedModel;
  readonly maxBodyBytes?: number;
  /** Time that a body may take to come. */
  readonly bodyDeadlineMs?: number;
  readonly maxInFlight?: number;
  readonly requestDeadlineMs?: number;
  readonly log?: Log;
}

const SOURCE = 'kvshare()';

/** Throws KvShareError `config_invalid`. */
export function readMountSettings<R>(
  options: KvShareOptions<R>,
): ReturnType<typeof readCodeSettings> {
  const fail = (problem: string): never => {
    throw new KvShareError('config_invalid', `${SOURCE}: ${problem}`);
  };
  const { runner, identify, whileStarting = 'wait', errors = 'answer' } = options;
  // Callers in JavaScript have no compiler.
  if (
    typeof runner === 'string' ? !URL.canParse(runner) : typeof (runner as unknown) !== 'object'
  ) {
    fail('runner must be the address of a runner, such as http://127.0.0.1:8081, or a Runner.');
  }
  if (identify !== undefined && typeof (identify as unknown) !== 'function') {
    fail('identify must be a function of the request.');
  }
  if (!['wait', 'next'].includes(whileStarting)) fail('whileStarting must be wait or next.');
  if (!['answer', 'next'].includes(errors)) fail('errors must be answer or next.');
  const keyed = options.routes?.findIndex(({ match }) => match.key !== undefined) ?? -1;
  if (keyed >= 0) fail(`routes[${keyed}].match.key: keys are the app's; match tenant or header.`);
  const { reuse, routes, embedder, record, singleFlight, healing, guardFile } = options;
  const document: Record<string, unknown> = {
    ...{ reuse, routes, embedder, record, singleFlight, healing, guardFile },
  };
  const given = Object.fromEntries(
    Object.entries(document).filter(([, value]) => value !== undefined),
  );
  return readCodeSettings(given, SOURCE);
}
