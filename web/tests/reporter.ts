// Prints what tests say, each failed test whole and, as the last line, how many passed and failed.

import type {
  FullConfig,
  FullResult,
  Reporter,
  Suite,
  TestCase,
  TestError,
  TestResult,
} from '@playwright/test/reporter';

export default class Closing implements Reporter {
  #suite: Suite | undefined;
  #broken = 0;

  printsToStdio(): boolean {
    return true;
  }

  onBegin(_config: FullConfig, suite: Suite): void {
    this.#suite = suite;
    console.log(`${suite.allTests().length} tests`);
  }

  onError(error: TestError): void {
    this.#broken += 1;
    console.log(error.stack ?? error.message ?? 'an error without a text');
  }

  onStdOut(chunk: string | Buffer): void {
    process.stdout.write(`  ${chunk}`);
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    const name = test.titlePath().filter(Boolean).join(' › ');
    console.log(`${result.status === 'passed' ? 'ok' : result.status}  ${name} (${result.duration} ms)`);
    for (const error of result.errors) console.log(error.stack ?? error.message);
  }

  onEnd(_result: FullResult): void {
    const tests = this.#suite?.allTests() ?? [];
    const passed = tests.filter((test) => test.ok() && test.outcome() !== 'skipped').length;
    console.log(`${passed} passed, ${tests.length - passed + this.#broken} failed`);
  }
}
