import { basename } from 'node:path';

/** The name clients use for a model file: its name without the ending. */
export const modelIdOf = (path: string): string => basename(path).replace(/\.gguf$/i, '');
