/** A session in a process of its own: work comes as a message, reports go back as messages. */
import { runSession, type Work } from "./session.js";

process.once("message", async (work: Work) => {
  await runSession(work, (message) => process.send!(message));
  process.disconnect();
});
