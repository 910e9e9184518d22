/** Runs a test's body where time passes: in a simulation by its events, on the machine by itself. */
export type Drive = <T>(main: () => Promise<T>) => Promise<T>
