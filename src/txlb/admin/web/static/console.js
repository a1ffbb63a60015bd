// The start of the console.

import "./theme.js";
import { App } from "./app.js";

new App().start();
