/** What stops a bench before or while it runs, told for people. `isUsage`: the command line asks for what cannot be. */
export class BenchError extends Error {
  constructor(
    message: string,
    readonly isUsage = false,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'BenchError';
  }
}
