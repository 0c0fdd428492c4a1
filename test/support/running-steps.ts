const STEP_MS = 50;

export interface RunningSteps {
  /** Milliseconds in which this process ran; a pause of the machine is one step. */
  readonly ms: number;
  readonly stop: () => void;
}

/** Time for limits on a machine that may stop for seconds. */
export function countRunningSteps(): RunningSteps {
  let steps = 0;
  const timer = setInterval(() => (steps += 1), STEP_MS);
  return {
    get ms() {
      return steps * STEP_MS;
    },
    stop: () => clearInterval(timer),
  };
}
