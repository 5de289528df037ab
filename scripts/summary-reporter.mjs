/**
 * A vitest reporter that names every skipped test with its reason (`ctx.skip("reason")`) and writes the counts as JSON to
 * the file named by HALFBYTE_TEST_SUMMARY. It runs beside the default reporter.
 */
import { writeFileSync } from "node:fs";

export default class SummaryReporter {
  /** @param {import("vitest/node").Vitest} vitest */
  onInit(vitest) {
    this.filtered = vitest.config.testNamePattern !== undefined;
  }

  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state) => tests.filter((test) => test.result().state === state);
    const broken = brokenScopes(modules);
    const stranded = inState("skipped").filter((test) => isInside(test, broken));
    const skipped = inState("skipped").filter((test) => !stranded.includes(test));
    const failed = [...inState("failed"), ...inState("pending"), ...stranded, ...broken, ...unhandledErrors];
    this.printSkipped(skipped);
    this.write({ passed: inState("passed").length, failed: failed.length, skipped: skipped.length });
  }

  printSkipped(tests) {
    // With a name filter every other test of the file is skipped: naming them all would bury the reasons.
    const worthNaming = tests.filter((test) => test.result().note || !this.filtered);
    for (const test of worthNaming) {
      console.log(`skipped: ${test.module.relativeModuleId} > ${test.fullName}: ${reasonOf(test)}`);
    }
  }

  write(counts) {
    const path = process.env["HALFBYTE_TEST_SUMMARY"];
    if (path) writeFileSync(path, JSON.stringify(counts));
  }
}

function reasonOf(test) {
  return test.result().note ?? (test.options.mode === "todo" ? "not written yet" : "no reason given");
}

/** Files that could not be loaded and suites with a hook that threw. Each is a failure, and so are the tests it kept from running. */
function brokenScopes(modules) {
  const scopes = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  return scopes.filter((scope) => scope.errors().length > 0);
}

function isInside(test, scopes) {
  for (let scope = test.parent; scope; scope = scope.parent) if (scopes.includes(scope)) return true;
  return false;
}
