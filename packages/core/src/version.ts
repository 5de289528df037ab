/** The version of the packages, which share one number. */
export { version } from "../package.json";
