// Has V8 give back what a start leaves behind. It would not by itself while nothing happens: with the default model 240 MB
// of graphs as they were written and of weights as they were read, which a container may not have.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
