/** Schedules that depend on the step alone and are therefore the caller's business. */

export interface AdemamixScheduleOptions {
  /** Counts from 1. */
  readonly step: number;
  readonly alpha: number;
  readonly beta1: number;
  readonly beta3: number;
  /** Steps over which alpha grows from 0; none by default. */
  readonly tAlpha?: number | null;
  /** Steps over which beta3 grows from beta1; none by default. */
  readonly tBeta3?: number | null;
}

/** alpha and beta3 of AdEMAMix at a step (arXiv 2409.03137, appendix; bitsandbytes optim/ademamix.py). */
export function ademamixSchedule({ step, alpha, beta1, beta3, tAlpha, tBeta3 }: AdemamixScheduleOptions): {
  alpha: number;
  beta3: number;
} {
  return {
    alpha: tAlpha ? Math.min((step * alpha) / tAlpha, alpha) : alpha,
    beta3: tBeta3 ? scheduledBeta3(step / tBeta3, Math.log(beta1), Math.log(beta3), beta3) : beta3,
  };
}

/** Linear in the half-life of the average, not in beta. */
function scheduledBeta3(progress: number, ln1: number, ln3: number, beta3: number): number {
  return Math.min(Math.exp((ln1 * ln3) / ((1 - progress) * ln3 + progress * ln1)), beta3);
}
