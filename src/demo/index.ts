// The demo: the main job on real input. Knows the harness and the sample texts only.
export { runDemo } from './run-demo.ts';
