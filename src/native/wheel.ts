// A Python wheel that is pinned by its content.
export interface Wheel {
  readonly project: string;
  /** TensorFlow's when it is not given. */
  readonly version?: string;
  readonly platform: string;
  readonly bytes: number;
  readonly sha256: string;
}
