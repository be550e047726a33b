/**
 * The storefront: begins.
 */

import { recognise } from "../shared/api.js";

recognise();
