/** Measures one case: ours, the floor and the peers take turns. */
import { messageOf } from "@halfbyte/core";
import type { Bench, Candidate, Measurement, PeerRun, Prepared, Suite } from "./case.js";
import type { Floor } from "./floors/floor.js";
import { type Clock, wallClock } from "./measure/clock.js";
import { interleave } from "./measure/interleave.js";
import { median } from "./measure/statistics.js";
import type { Subject } from "./measure/subject.js";
import type { PeerFigure, Row, Unmeasured } from "./report/row.js";
import type { Spec } from "./spec.js";

/** Above it a floor is no floor: something disturbed the measurement, or the loop is not the best there is. */
const highestShare = 1.05;

/** Milliseconds. Several threads of ours must not share their cores with threads of a peer that is waiting for its next turn. */
const peersRest = 60;

/** Rows without verdicts; targets come later, for some look at several rows. */
export async function measureCase(spec: Spec, suite: Suite, bench: Bench): Promise<Row[]> {
  const measurements =
    "measure" in suite ? [await suite.measure(spec, bench)] : await measurePrepared(spec, bench, suite.prepare);
  return measurements.flatMap((measurement) => rowsOf(spec, bench, measurement));
}

async function measurePrepared(
  spec: Spec,
  bench: Bench,
  prepare: (spec: Spec, bench: Bench) => Promise<Prepared>,
): Promise<Measurement[]> {
  const prepared = await prepare(spec, bench);
  const floors = floorsOf(prepared, bench);
  try {
    return await takeTurns(spec, bench, prepared, floors);
  } finally {
    for (const floor of floors) floor.dispose();
    prepared.dispose();
  }
}

function floorsOf({ floor, otherFloors }: Prepared, { floors }: Bench): Floor[] {
  return typeof floors === "string" ? [] : [floor, ...otherFloors].map((request) => floors.open(request));
}

type NamedPeer = PeerRun & { readonly name: string; readonly version: string };

/** Peers come in groups of those that are in memory together; ours and the floors are in every group. */
async function takeTurns(
  spec: Spec,
  bench: Bench,
  prepared: Prepared,
  floors: readonly Floor[],
): Promise<Measurement[]> {
  const tallies = bench.clocks.map((clock) => newTally(clock, prepared, floors));
  const wanted = prepared.candidates.filter(({ family }) => bench.peers.includes(family));
  const notMeasured: Unmeasured[] = [];
  for (const group of groupsOf(wanted, prepared.peersAtOnce ?? wanted.length)) {
    const running = await prepareAll(group, notMeasured);
    for (const tally of tallies) await takeTurnsBy(tally, spec, bench, running);
    for (const peer of running) await peer.dispose();
  }
  return tallies.map(({ clock, ours, times, peers, unseen }) => ({
    ...figuresOf({ ...prepared, ours }, floors, times),
    timing: clock.timing,
    peers,
    notMeasured: [...notMeasured, ...unseen],
  }));
}

/** What one clock has shown so far. */
interface Tally {
  readonly clock: Clock;
  readonly ours: Prepared["ours"];
  /** Ours and the floors'. */
  readonly subjects: readonly Subject[];
  readonly times: readonly number[][];
  readonly peers: Omit<PeerFigure, "ratio">[];
  /** Peers that this clock does not see. */
  readonly unseen: Unmeasured[];
}

/** A GPU's time does not depend on where outputs come from. */
function newTally(clock: Clock, prepared: Prepared, floors: readonly Floor[]): Tally {
  const ours = prepared.ours.filter(({ memory }) => clock === wallClock || memory !== "pool");
  const subjects = [...ours.map(({ subject }) => subject), ...floors.flatMap(({ subjects }) => subjects)];
  return { clock, ours, subjects, times: subjects.map(() => []), peers: [], unseen: [] };
}

async function takeTurnsBy(tally: Tally, spec: Spec, bench: Bench, running: readonly NamedPeer[]): Promise<void> {
  const { clock, subjects, times, peers, unseen } = tally;
  const seen = running.filter(({ isElsewhere }) => clock === wallClock || !isElsewhere);
  const rest = bench.threads > 1 && seen.length > 0 ? peersRest : 0;
  const all = [...subjects, ...seen.map(({ subject }) => subject)];
  const found = await interleave(all, { rounds: bench.rounds, warm: spec.temperature === "warm", rest, clock });
  for (const [i, own] of times.entries()) own.push(...found[i]!);
  for (const [i, { name, version, relativeError }] of seen.entries())
    peers.push({ name, version, medianNs: median(found[times.length + i]!), relativeError });
  for (const { name, isElsewhere } of running)
    if (isElsewhere && !seen.some((peer) => peer.name === name)) unseen.push({ name, reason: elsewhere(clock) });
}

const elsewhere = ({ timing }: Clock): string =>
  `runs elsewhere, not seen by ${timing}: it stands in the rows of the wall's clock`;

/** At least one group, for ours. */
function groupsOf<T>(all: readonly T[], size: number): T[][] {
  if (all.length === 0) return [[]];
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

async function prepareAll(candidates: readonly Candidate[], notMeasured: Unmeasured[]): Promise<NamedPeer[]> {
  const running: NamedPeer[] = [];
  for (const { name, prepare } of candidates) {
    try {
      running.push({ name, ...(await prepare()) });
    } catch (thrown) {
      notMeasured.push({ name, reason: messageOf(thrown) });
    }
  }
  return running;
}

function figuresOf(
  { ours, relativeError, unroundedError, accuracy, variant }: Prepared,
  floors: readonly Floor[],
  times: readonly number[][],
) {
  const floorTimes = times.slice(ours.length);
  const figures = floors.map(({ kind, subjects, medianOf }, i) => ({
    kind,
    medianNs: medianOf(floorTimes.slice(i * subjects.length, (i + 1) * subjects.length)),
  }));
  const [floor = null, ...otherFloors] = figures;
  return {
    ours: ours.map(({ memory }, i) => ({ memory, times: times[i]! })),
    floor,
    otherFloors,
    relativeError,
    ...(unroundedError !== undefined && { unroundedError }),
    accuracy,
    ...(variant !== undefined && { variant }),
  };
}

function rowsOf(spec: Spec, { backend }: Bench, measurement: Measurement): Row[] {
  const { floor, otherFloors, peers, notMeasured, relativeError, unroundedError = null, accuracy } = measurement;
  const { tier = backend.tier, timing = wallClock.timing, variant } = measurement;
  const { suite, format, dtype, shape, threads, temperature } = spec;
  return measurement.ours.map(({ memory, times }) => {
    const medianNs = median(times);
    const ratioToFloor = floor && floor.medianNs / medianNs;
    return {
      suite,
      case: spec.case,
      backend: backend.name,
      tier,
      ...(variant !== undefined && { variant }),
      accuracy,
      format,
      dtype,
      shape,
      threads,
      temperature,
      memory,
      timing,
      medianNs,
      minNs: Math.min(...times),
      runs: times.length,
      floor,
      ratioToFloor,
      invalid: invalidity(ratioToFloor, spec),
      otherFloors,
      relativeError,
      unroundedError,
      peers: peers.map((peer) => ({ ...peer, ratio: peer.medianNs / medianNs })),
      notMeasured,
      target: null,
      targetMet: null,
      verdicts: [],
    };
  });
}

/** A checkpoint's floor is another program, which can be beaten. */
function invalidity(ratioToFloor: number | null, { suite }: Spec): string | null {
  if (ratioToFloor === null || ratioToFloor <= highestShare || suite === "checkpoint") return null;
  return `faster than its floor (${ratioToFloor.toFixed(2)}): the floor was disturbed, measure again`;
}
