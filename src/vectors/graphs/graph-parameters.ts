// How the graphs are built. Measured over 256 dimensions, clustered and edited vectors: see the numbers at each.

/** Links a point and level (M). */
export const LINKS = 8;
/** Candidates while a point is linked (efConstruction). */
export const BUILD_WIDTH = 100;
/** Candidates of a search (efSearch). */
export const SEARCH_WIDTH = 96;

/** Beside a vector and its links: label, lock, level, table of labels, upper levels. */
const POINT_BYTES = 110;

/** Estimated native memory of a graph. */
export const graphBytes = (points: number, dimension: number): number =>
  points * (4 * dimension + 8 * LINKS + POINT_BYTES);
