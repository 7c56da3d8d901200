// Which reuse settings a request gets, and whether reuse pays there. Knows no HTTP.
export { BreakEven } from './break-even.ts';
export type { BreakEvenKey } from './break-even.ts';
export { rungNames } from './ladder.ts';
export type { Rung, RungName } from './ladder.ts';
export { beginningRung, QualityGuard } from './quality-guard.ts';
export type { GuardMove, SavedWatch, TenantState } from './quality-guard.ts';
export type { Standing } from './quality-watch.ts';
export { defaultReuse, readReuse } from './read-reuse.ts';
export type { ReuseSettings, RouteReuse } from './read-reuse.ts';
export { findReuseError } from './reuse-conflicts.ts';
export { reuseSchema, strictObject } from './reuse-schema.ts';
export type { Route, RouteFacts, RouteMatch } from './route.ts';
export { findNameError, routeName } from './route-names.ts';
export { RouteTable } from './route-table.ts';
export type { RouteSettings } from './route-table.ts';
