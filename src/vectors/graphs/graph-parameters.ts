// How the graphs are built. Measured with 200,000 vectors of 256 dimensions in clusters of 25, the hardest case:
// searches get stuck in clusters that few links lead to. Recall@1 is 0.93 with 8 links (0.99 with a width of 400)
// and 1.00 with 12; 16 links take half as long again to build. 50,000 vectors take 10 to 20 s.

/** Links a point and level (M). */
export const LINKS = 12;
/** Candidates while a point is linked (efConstruction). */
export const BUILD_WIDTH = 100;
/** Candidates of a search (efSearch): 0.7 ms. */
export const SEARCH_WIDTH = 100;

/** Beside a vector and its links: label, lock, level, table of labels, upper levels, spare room. */
const POINT_BYTES = 140;

/** Estimated native memory of a graph. */
export const graphBytes = (points: number, dimension: number): number =>
  points * (4 * dimension + 8 * LINKS + POINT_BYTES);
